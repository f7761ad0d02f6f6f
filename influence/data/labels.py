"""Spellings of a label: which look alike, which is the one to keep; and how data say that a row has several labels."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from influence.reading import label_cell

# Small letters of Cyrillic and Greek of which the small or the capital one looks like a Latin letter, and the dashes and
# quotes that a word processor makes.
_ALIKE = str.maketrans("аеорсухіјѕвкмнтαβεζηικμνορτυχ‐‑‒–—−‘’“”", "aeopcyxijsbkmhtabezhikmnoptyx------''\"\"")
JOINS = ("#", "|", ";", ",", "/", "+", "&")
# From this share of the rows on, several labels a row are no slips of some annotators: of GoEmotions' rows 16 % have several.
SEVERAL_SHARE, SEVERAL_ROWS = 0.15, 2
MOST_NAMES = 20_000  # of more different labels none is taken apart
HALVES = {"0", "5", "25", "75"}  # what follows a decimal comma, in ratings
FLAGS = {"0", "1", "-1", "", "true", "false"}
LOOKED_AT = 1_000  # rows
ONE_AT_A_TIME = "Wordtrace explains classifiers that choose one label, so take one label at a time"


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


def is_by_nature(several: int, rows: int) -> bool:
    """Whether rows with several labels, among those that have any, make the data multi-label ones."""
    return several >= SEVERAL_ROWS and several >= SEVERAL_SHARE * rows


def of_several(labels: Iterable[str]) -> dict[str, list[str]]:
    """`joined_labels`, but for numbers with a decimal comma, which are no two labels."""
    names = set(labels) - {""}
    found = joined_labels(names) if len(names) <= MOST_NAMES else {}
    decimal = all(len(parts) == 2 and "," in name and parts[1] in HALVES for name, parts in found.items())
    return {} if decimal and all(part.isdecimal() for parts in found.values() for part in parts) else found


def flag_columns(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Columns of yes and no (0 and 1) that say together which labels a row has; none where no rows have several.

    So data sets of comments are written: toxic, obscene, threat, … Only the first rows are looked at.
    """
    found = {}
    for name, column in columns.items():
        cells = [label_cell(value) for value in column[:LOOKED_AT]]
        values = {cell.strip().casefold() if isinstance(cell, str) else None for cell in cells}
        if values <= FLAGS and values & {"1", "true"}:
            found[name] = [isinstance(cell, str) and cell.strip().casefold() in ("1", "true") for cell in cells]
    several = sum(sum(row) > 1 for row in zip(*found.values(), strict=True))
    return list(found) if len(found) > 1 and several >= SEVERAL_ROWS else []


def flags_said(names: Sequence[str]) -> str:
    """What is said of data whose labels may be columns of yes and no."""
    shown = ", ".join(repr(name[:40]) for name in names[:4]) + (", …" if len(names) > 4 else "")
    return (
        f"the columns {shown} are 0 or 1, several of them 1 in a row, so these are multi-label data; {ONE_AT_A_TIME}: choose a "
        f"column, as with --label {names[0][:40]!r}"
    )
