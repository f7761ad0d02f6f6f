"""Whole words of the user's text, whatever pieces the tokenizer cut it into.

A word is what the tokenizer's own pre-tokenizer calls one, but white space always ends it and never belongs to it, and a
combining mark neither begins nor ends one that letters go on. So every word can be lit up in the text as it stands.
"""

import unicodedata
from collections.abc import Iterable

SPECIAL_SIDE = -1
# What texts are counted in where no model is asked: a character of a script that puts no spaces between words is a word.
COUNTED_WORD = r"(?u)[\u2e80-\u9fff\uac00-\ud7af]|\b\w\w+\b"

Span = tuple[int, int, int]  # side (0 the text, 1 the second text, -1 a start or end token at 0, 0), start, end


def whole_words(
    sides: Iterable[int | None], units: Iterable[int | None], offsets: Iterable[tuple[int, int]], texts: tuple[str, str]
) -> tuple[list[int], list[Span]]:
    """The word of every token, and the words' spans.

    For each token: which text it came from (None: a start or end token), the unit that the tokenizer counts it to, and
    its characters.
    """
    words: list[int] = []
    spans: list[Span] = []
    previous: tuple[int | None, int | None] | None = None
    for side, unit, (start, end) in zip(sides, units, offsets, strict=True):
        if side is None:
            spans.append((SPECIAL_SIDE, 0, 0))
            previous = None
        else:
            text = texts[side]
            piece = text[start:end]
            start += len(piece) - len(piece.lstrip())
            end = start + len(piece.strip())
            same = previous == (side, unit)
            if start < end and previous is not None and previous[0] == side and _goes_on(text, spans[-1][2], start, same):
                spans[-1] = (side, spans[-1][1], max(spans[-1][2], end))
            else:
                spans.append((side, start, end))
            previous = (side, unit) if start < end else None
        words.append(len(spans) - 1)
    if any(map(_is_blank, spans)):
        words, spans = _without_blanks(words, spans)
    return words, [_with_marks(span, texts) for span in spans]


def _goes_on(text: str, word_end: int, start: int, same_unit: bool) -> bool:
    """Whether a token belongs to the word that the token before it belongs to."""
    if not same_unit:  # unless the cut is at a mark, where byte-level tokenizers wrongly see the end of a word
        return start == word_end and (_is_mark(text[start]) or (_is_mark(text[start - 1]) and text[start].isalpha()))
    # Some tokenizers call the whole sentence one unit.
    return start <= word_end or not any(character.isspace() for character in text[word_end:start])


def _without_blanks(words: list[int], spans: list[Span]) -> tuple[list[int], list[Span]]:
    """A token of white space goes to the word that follows it, else to the one before; where there is none, it stays."""
    homes = list(range(len(spans)))
    for step in (-1, 1):  # the word before first, so that the one that follows has the last say
        for at in range(len(spans))[::-step]:
            beside = at + step
            if _is_blank(spans[at]) and 0 <= beside < len(spans):
                side, start, end = spans[homes[beside]]
                if side == spans[at][0] and start < end:
                    homes[at] = homes[beside]
    kept = sorted(set(homes))
    numbers = {span: number for number, span in enumerate(kept)}
    return [numbers[homes[word]] for word in words], [spans[at] for at in kept]


def _is_blank(span: Span) -> bool:
    return span[0] != SPECIAL_SIDE and span[1] == span[2]


def _with_marks(span: Span, texts: tuple[str, str]) -> Span:
    """The span with the combining marks that follow it; many tokenizers drop those."""
    side, start, end = span
    text = texts[max(side, 0)]
    if side == SPECIAL_SIDE or end == len(text) or not _is_mark(text[end]):
        return span
    while end < len(text) and _is_mark(text[end]):
        end += 1
    return side, start, end


def _is_mark(character: str) -> bool:
    return character >= "\u0300" and unicodedata.category(character).startswith("M")
