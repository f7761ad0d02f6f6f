"""Whole words of the user's text, whatever pieces the tokenizer cut it into.

A word is what the tokenizer's own pre-tokenizer calls one, but white space always ends it and never belongs to it, and a
combining mark neither begins nor ends one that letters go on. So every word can be lit up in the text as it stands.

Where words are *named* (lists, clusters, reasons) they are whole as a reader sees them: many pre-tokenizers cut "doesn't" into
three and "foo_bar" too, and a list of "doesn", "t" and "s" says nothing. `whole_span` is what such a word is a part of.
"""

import unicodedata
from collections.abc import Iterable

from influence.data.masking import NO_SPACES, is_word

SPECIAL_SIDE = -1
# What texts are counted in where no model is asked: a character of a script that puts no spaces between words is a word.
COUNTED_WORD = r"(?u)[\u2e80-\u9fff\uac00-\ud7af]|\b\w\w+\b"

BETWEEN_LETTERS, BETWEEN_DIGITS = "'\u2019", ".,"  # do not end a word there (Unicode's annex 29 has them so)
CLITICS = frozenset(["s", "t", "d", "m", "ll", "re", "ve"])  # what English puts behind an apostrophe
# Before "n't"; not all of them are stop words by themselves.
AUXILIARIES = frozenset([
    "ai", "are", "ca", "can", "could", "did", "do", "does", "had", "has", "have", "is", "let", "may", "might", "must", "need",
    "should", "was", "were", "wo", "would",
])  # fmt: skip
MORE_STOP_WORDS = frozenset(["did", "does", "doing", "just"])

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


def whole_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole word that a tokenizer's word at a span is, or is a part of: "doesn't" for its "doesn", "'" and "t"."""
    while start > 0 and _one_word(text, start):
        start -= 1
    while end < len(text) and _one_word(text, end):
        end += 1
    return start, end


def is_common(word: str) -> bool:
    """Whether a word is a stop word (English), punctuation or white space."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return word.lower() in ENGLISH_STOP_WORDS or not any(map(_says_something, word))


def is_function_word(word: str) -> bool:
    """Whether a whole word says nothing by itself: common, a single letter or digit, or such a word with a clitic, as "it's"."""
    if is_common(word) or word.lower() in MORE_STOP_WORDS or (len(word) == 1 and word.isascii()):
        return True
    stem, joint, clitic = word.lower().replace("\u2019", "'").rpartition("'")
    if not joint or clitic not in CLITICS:
        return False
    return stem.removesuffix("n" if clitic == "t" else "") in AUXILIARIES or is_function_word(stem)


def _one_word(text: str, at: int) -> bool:
    """Whether the characters before and at a place are of one word."""
    before, after = text[at - 1], text[at]
    if _is_joint(text, at - 1) or _is_joint(text, at):
        return True
    if not is_word(before) or not is_word(after):
        return False
    return not any(unicodedata.name(character, "").startswith(NO_SPACES) for character in (before, after))


def _is_joint(text: str, at: int) -> bool:
    """Whether a character is a mark within a word: an apostrophe between letters, a point or comma between digits."""
    if not 0 < at < len(text) - 1:
        return False
    before, after = text[at - 1], text[at + 1]
    if text[at] in BETWEEN_LETTERS:
        return all(is_word(one) and not one.isdigit() and one != "_" for one in (before, after))
    return text[at] in BETWEEN_DIGITS and before.isdigit() and after.isdigit()


def _says_something(character: str) -> bool:
    # So: emoji and the like; the replacement character among them is a part of some letter's bytes.
    return character.isalnum() or unicodedata.category(character) == "So"
