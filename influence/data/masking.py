"""Finding whole words and phrases in a text, and taking them out of it, whatever the script or case.

Here a word goes from the *text*, for corrected files: its letters and a space beside it, and where two neighbours would
then run together, a space stays between them ("U.S." without "." is "U S"). A model that is trained again has its mask token
in the place of the word's tokens instead (`influence/retraining/masking.py`), which no letters in a file would be for every
tokenizer. The two share what an occurrence is: `find_to_mask`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

TWO_WAYS = (  # said wherever words are masked
    "a model trained again here has its mask (or unknown) token in place of a masked word, all else unmoved; a corrected file "
    "has the word taken out of its text, which the tokenizer may cut in another way"
)
NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # scripts that do not set words apart

Span = tuple[int, int]


def find(text: str, phrase: str) -> list[Span]:
    """Spans of a word or phrase as a whole word, ignoring case, any white space for a space."""
    return [span for span in _spans(text, phrase) if not _goes_on(text, *span, is_word)]


def find_to_mask(text: str, word: str) -> list[Span]:
    """Spans that masking a word covers: as a whole word; if there is none, as some tokenizers cut `covid19` or `foo_bar`."""
    return find(text, word) or [span for span in _spans(text, word) if not _goes_on(text, *span, _letter_or_digit)]


def mask(text: str, words: Iterable[str], token: str = "") -> str:
    """The text with every occurrence of the words replaced by `token`, or deleted when that is empty."""
    spans = _merged(text, sorted(span for word in words for span in find_to_mask(text, word)), across_space=not token)
    masked, end = "", 0
    for span in spans:
        start, stop, left = (*span, token) if token else _cut(text, *span)
        masked += text[end:start] + left
        end = stop
    return masked + text[end:]


def folded(word: str) -> str:
    """What words are compared by: the same for all that `find` takes for one."""
    return " ".join(word.split()).casefold()


def _merged(text: str, spans: Iterable[Span], *, across_space: bool) -> list[Span]:
    """Sorted spans with overlapping ones made one, and neighbours with only white space between as well if wanted."""
    merged: list[Span] = []
    for start, end in spans:
        between = text[merged[-1][1] : start] if merged else ""
        if merged and (start < merged[-1][1] or (across_space and not between.strip())):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(text: str, start: int, end: int) -> tuple[int, int, str]:
    """What to take out for a span, and what to put there: a space where two neighbours would run together otherwise."""
    for first, stop in (_with_space(text, start, end), (start, end)):
        if not _run_together(text[max(first - 1, 0) : first], text[stop : stop + 1]):
            return first, stop, ""
    return start, end, " "


def _run_together(before: str, after: str) -> bool:
    """Whether two characters side by side are one word, or one row of marks; scripts without spaces have none to lose."""
    if not before.strip() or not after.strip() or is_word(before) != is_word(after):
        return False
    return not any(unicodedata.name(edge, "").startswith(NO_SPACES) for edge in (before, after))


def _with_space(text: str, start: int, end: int) -> Span:
    """A span to delete, with the space on the side where no word stands: behind "(" and before ",", one of two spaces."""
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    if after.isspace() and not (before and is_word(before)):
        return start, end + 1
    if before.isspace() and not (after and is_word(after)):
        return start - 1, end
    return start, end


def _spans(text: str, phrase: str) -> list[Span]:
    pattern = r"\s+".join(re.escape(part) for part in phrase.split())
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)] if pattern else []


def _goes_on(text: str, start: int, end: int, kind: Callable[[str], str]) -> bool:
    """Whether the word at a span goes on beyond it: characters of one kind on both sides of an edge."""
    edges = (text[max(start - 1, 0) : start], text[start]), (text[end : end + 1], text[end - 1])
    return any(
        outside and kind(outside) == kind(edge) != "" and not unicodedata.name(edge, "").startswith(NO_SPACES)
        for outside, edge in edges
    )


def is_word(character: str) -> str:
    """ "word" for a letter, a digit or `_`, else "": what `find` takes a word to go on with."""
    return "word" if _letter_or_digit(character) or character == "_" else ""


def _letter_or_digit(character: str) -> str:
    return {"L": "letter", "M": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "")
