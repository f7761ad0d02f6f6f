"""Guessing which columns hold what, from their names and their first values. A guess is shown, never acted on unseen."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from influence.annotation import AnnotatedTable
from influence.data.examples import Columns
from influence.data.labels import flag_columns, flags_said
from influence.errors import DataError
from influence.reading import Odd, Table, as_text, label_cell

GUESS_RULE = (
    "A column is taken by its name where the name is a usual one. Otherwise the label is the column with the fewest values "
    "(two at least, each standing in more rows than one), and the text is the one with the longest values, of those that have "
    "letters. An id has a usual name, such as Nr, ticket_id or an unnamed first column, and another value in every row."
)
GUESSED_FROM = 1_000  # rows
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("text1", "text2"), ("texta", "textb"),
    ("query", "passage"), ("question", "sentence"), ("question", "context"),
)  # fmt: skip
TEXTS = (
    "text", "sentence", "review", "content", "comment", "commenttext", "message", "utterance", "body", "tweet", "post",
    "document", "description", "question", "query", "premise", "headline", "title", "sms", "email", "abstract",
)  # fmt: skip
LABELS = (
    "label", "labels", "labeltext", "labelname", "class", "category", "target", "sentiment", "intent", "topic", "tag", "y",
    "goldlabel", "gold", "polarity", "rating", "stars", "emotion", "toxic", "spam", "type", "accept", "choice",
)  # fmt: skip
IDS = (
    "id", "uid", "uuid", "guid", "key", "rowid", "exampleid", "textid", "reviewid", "commentid", "tweetid", "documentid",
    "nr", "no", "num", "number", "index", "idx", "row", "rownumber", "nummer", "lfdnr", "pk", "ident", "identifier", "unnamed0",
)  # fmt: skip
ID_WORDS = ("id", "nr", "no", "uid", "uuid", "guid", "key", "number")  # what a name of several words may end in
# Names that say what one label of several is: where columns beside it are 0 or 1, too, it is not *the* label.
OF_SEVERAL = ("toxic", "spam", "tag", "type", "accept", "choice")
MOST_LABELS = 500
SHOWN = 300  # characters of a value


@dataclass(frozen=True)
class Guess:
    """The columns by role (None: no column looks like it), and why each was taken."""

    text: str | None
    text_pair: str | None
    label: str | None
    id: str | None
    reasons: dict[str, str]
    odd: dict[str, str]  # columns that hold nothing usable, and what they hold
    several: str = ""  # where the labels are columns of 0 and 1: that, and the way out

    def columns(self) -> Columns:
        """The columns to read by. Raises `DataError` where no text or no label was found."""
        self.refuse_several()
        if self.text is None or self.label is None:
            missing = "text" if self.text is None else "label"
            odd = "".join(f"; {name!r} holds {what}" for name, what in list(self.odd.items())[:5])
            raise DataError(f"no column looks like the {missing}{odd}; name it with --{missing}")
        return Columns(text=self.text, text_pair=self.text_pair, label=self.label, id=self.id)

    def refuse_several(self) -> None:
        """Raise `DataError` where no column is the label because several are one each."""
        if self.several:
            raise DataError(self.several)


def guess_columns(table: Table) -> Guess:
    """Which columns hold the text, a second text, the label and the id; `GUESS_RULE` says how they are told."""
    cells = {name: [label_cell(value) for value in column[:GUESSED_FROM]] for name, column in table.columns.items()}
    odd = {name: what for name, column in cells.items() if (what := _mostly_odd(column))}
    values = {
        name: ["" if isinstance(cell, Odd) else cell for cell in column] for name, column in cells.items() if name not in odd
    }
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(values)}
    found: dict[str, str | None] = {"text": None, "text_pair": None, "label": None, "id": None}
    reasons: dict[str, str] = {}

    def take(role: str, name: str | None, reason: str) -> None:
        if name is not None and found[role] is None:
            found[role], reasons[role] = name, reason

    if isinstance(table, AnnotatedTable):
        for role, name in table.roles.items():
            take(role, name, f"{table.form.tool} says so")
    take("id", _id_column(plain, values), "its name, and no value stands twice")
    flags = [name for name in flag_columns(table.columns) if name != found["id"]]
    label = _named(plain, LABELS)
    several = found["label"] is None and len(flags) > 1 and _is_one_of(label, flags, plain)
    take("label", None if several else label, "its name")
    pair = next(((plain[a], plain[b]) for a, b in PAIRS if a in plain and b in plain), None)
    if pair is not None and found["label"] not in pair:
        take("text", pair[0], "its name, beside that of the second text")
        take("text_pair", pair[1], "its name, beside that of the first text")
    take("text", _named(plain, TEXTS, without=(found["label"], found["id"])), "its name")
    rest = [name for name in values if name not in found.values()]
    take("label", None if several else _fewest_values(values, rest), "it has the fewest values")
    rest = [name for name in values if name not in found.values() and any(map(_has_letter, values[name]))]
    take("text", max(rest, key=lambda name: sum(map(len, values[name])), default=None), "it has the longest values")
    return Guess(**found, reasons=reasons, odd=odd, several=f"{table.source!r}: {flags_said(flags)}" if several else "")


def _is_one_of(label: str | None, flags: Sequence[str], plain: Mapping[str, str]) -> bool:
    """Whether the column that would be taken for the label is one of several that are."""
    if label is None:
        return True
    return label in flags and len(flags) > 2 and label in [plain.get(name) for name in OF_SEVERAL]


def head(table: Table, rows: int) -> list[dict[str, Any]]:
    """The first rows, each a mapping of column to value as text, long ones cut."""
    shown = min(rows, len(table))
    return [{name: as_text(column[row])[:SHOWN] for name, column in table.columns.items()} for row in range(shown)]


def _mostly_odd(cells: list[str | Odd]) -> str:
    """What more than half of the cells hold, where that is neither text nor number."""
    odd = [cell.what for cell in cells if isinstance(cell, Odd)]
    return max(odd, key=odd.count) if 2 * len(odd) > len(cells) else ""


def _named(plain: dict[str, str], names: Sequence[str], without: Sequence[str | None] = ()) -> str | None:
    return next((plain[name] for name in names if name in plain and plain[name] not in without), None)


def _id_column(plain: dict[str, str], values: dict[str, list[str]]) -> str | None:
    """The column of ids: of a usual name, else one that ends in a usual word (`ticket_id`, `OrderNo`) and lacks no value."""
    named = [name for name in values if not name.strip()] + [plain[name] for name in IDS if name in plain]
    ending = [name for name in values if _words_of(name)[1:] and _words_of(name)[-1] in ID_WORDS]
    whole = [name for name in ending if all(value.strip() for value in values[name])]
    return next((name for name in [*named, *whole] if _all_differ(values[name])), None)


def _has_letter(value: str) -> bool:
    return any(character.isalpha() for character in value)


def _words_of(name: str) -> list[str]:
    """The words of a column's name in small letters: ticket_id, ticketId and Ticket Id are two."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _all_differ(values: list[str]) -> bool:
    return len(set(values)) == len(values)


def _fewest_values(values: dict[str, list[str]], names: list[str]) -> str | None:
    counts = {name: len(set(values[name])) for name in names}
    fitting = [name for name in names if 2 <= counts[name] <= min(MOST_LABELS, len(values[name]) / 2)]
    return min(fitting, key=lambda name: counts[name], default=None)
