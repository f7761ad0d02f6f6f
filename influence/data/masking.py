"""Finding whole words and phrases in a text, and masking them, whatever the script or case.

A masked word is by default deleted. The paper puts [PAD] in its place, which the model sees as nothing; written into a
data file the same letters would be a token for one tokenizer and five for the next, and a word that every masked example
shares would get gradients of its own and tie those examples together. Deleting leaves no such trace.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # scripts that do not set words apart

Span = tuple[int, int]


def find(text: str, phrase: str) -> list[Span]:
    """Spans of a word or phrase as a whole word, ignoring case, any white space for a space."""
    return [span for span in _spans(text, phrase) if not _goes_on(text, *span, _is_word)]


def find_to_mask(text: str, word: str) -> list[Span]:
    """Spans that masking a word covers: as a whole word; if there is none, as some tokenizers cut `covid19` or `foo_bar`."""
    return find(text, word) or [span for span in _spans(text, word) if not _goes_on(text, *span, _letter_or_digit)]


def mask(text: str, words: Iterable[str], token: str = "") -> str:
    """The text with every occurrence of the words replaced by `token`, or deleted when that is empty."""
    spans = _merged(text, sorted(span for word in words for span in find_to_mask(text, word)), across_space=not token)
    masked, end = "", 0
    for start, stop in spans if token else (_with_space(text, *span) for span in spans):
        masked += text[end:start] + token
        end = stop
    return masked + text[end:]


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


def _with_space(text: str, start: int, end: int) -> Span:
    """A span to delete, with the space on the side where no word stands: behind "(" and before ",", one of two spaces."""
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    if after.isspace() and not (before and _is_word(before)):
        return start, end + 1
    if before.isspace() and not (after and _is_word(after)):
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


def _is_word(character: str) -> str:
    return "word" if _letter_or_digit(character) or character == "_" else ""


def _letter_or_digit(character: str) -> str:
    return {"L": "letter", "M": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "")
