"""Spellings of a label: which look alike, which is the one to keep, and names that join several labels."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

# Small letters of Cyrillic and Greek of which the small or the capital one looks like a Latin letter, and the dashes and
# quotes that a word processor makes.
_ALIKE = str.maketrans("аеорсухіјѕвкмнтαβεζηικμνορτυχ‐‑‒–—−‘’“”", "aeopcyxijsbkmhtabezhikmnoptyx------''\"\"")
JOINS = ("#", "|", ";", ",", "/", "+", "&")


def label_key(label: str) -> str:
    """Equal for labels that look alike.

    Those differ in capitals, in spaces of whatever kind, in characters without width, in how accents and wide letters are
    put together, or in letters that another script has in the same shape.
    """
    visible = "".join(c for c in unicodedata.normalize("NFC", _narrow(label)) if unicodedata.category(c) != "Cf")
    return " ".join(visible.casefold().translate(_ALIKE).split())


def _narrow(label: str) -> str:
    """Wide and half-wide letters as plain ones; superscripts and fractions, which mean something else, stay."""
    return "".join(
        unicodedata.normalize("NFKC", character) if unicodedata.east_asian_width(character) in "FH" else character
        for character in label
    )


def spellings(counts: Mapping[str, int]) -> list[list[str]]:
    """Groups of two labels or more that look alike, in each the most frequent first, which is the one to keep."""
    groups: dict[str, list[str]] = {}
    for label in sorted(counts, key=lambda label: -counts[label]):
        groups.setdefault(label_key(label), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def merged_spellings(labels: Iterable[str]) -> dict[str, str]:
    """For every label the spelling to keep: of those that look alike the most frequent, without spaces around it."""
    kept: dict[str, str] = {}
    counts = Counter(labels)
    for label, _ in counts.most_common():
        kept.setdefault(label_key(label), label.strip() or label)
    return {label: kept[label_key(label)] for label in counts}


def as_shown(group: Iterable[str], limit: int = 40) -> list[str]:
    """Labels that look alike, in quotes; where they would read the same, with every letter that is not ASCII spelt out."""
    group = [label[:limit] for label in group]
    readable = len({" ".join(label.casefold().split()) for label in group}) == 1
    return [repr(label) if readable else ascii(label) for label in group]


def joined_labels(labels: Iterable[str]) -> dict[str, list[str]]:
    """Labels that are others joined by a sign, as tools write several labels of one row into one cell: `neg#pos`."""
    names = set(labels)
    found = {}
    for label in names:
        for sign in JOINS:
            parts = [part.strip() for part in label.split(sign)]
            if len(parts) > 1 and all(part in names for part in parts):
                found[label] = parts
                break
    return dict(sorted(found.items()))
