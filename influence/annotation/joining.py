"""Several files of a tool as one table: parts of one export, or, as doccano writes them, a file a member."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from influence.annotation.table import AnnotatedTable, Votes, names_in
from influence.annotation.votes import Vote, settled
from influence.errors import DataError
from influence.reading import Form, Piece, Table


def joined(tables: Sequence[Table], names: Sequence[str], source: str, sha256: str) -> AnnotatedTable:
    """One table of the files of a tool, by their names. A text that stands in several, under one id, has the votes of all.

    Who is not named in a file is called as the file. It cannot be written again as one file. Raises `DataError` where one file
    is of another kind than the first.
    """
    parts = [table for table in tables if isinstance(table, AnnotatedTable)]
    other = next((name for table, name in zip(tables, names, strict=True) if not isinstance(table, AnnotatedTable)), None)
    if other is not None:
        raise DataError(f"{source!r}: {names[0]!r} is from {parts[0].form.tool}, {other!r} is not: give files of one kind")
    found = _Joined()
    for number, (part, name) in enumerate(zip(parts, names, strict=True)):
        found.add(part, number, name, one_of_many=len(parts) > 1)
    return replace(
        parts[0],
        columns=found.settled(),
        source=source,
        sha256=sha256,
        form=Form(kind="data set", tool=parts[0].form.tool, annotators=len(names_in(found.votes))),
        broken={},
        rows=len(found.numbers),
        pieces=tuple(Piece(name, 0, part.form) for name, part in zip(names, parts, strict=True)),
        numbers=found.numbers,
        votes=found.votes,
        suggestions=found.suggestions,
    )


class _Joined:
    """The texts of some files, put together one file after the other."""

    def __init__(self) -> None:
        self.numbers: list[int | str] = []
        self.columns: dict[str, list[Any]] = {}
        self.votes: dict[str, Votes] = {}
        self.suggestions: dict[str, Votes] = {}
        self._places: dict[Any, int] = {}

    def add(self, part: AnnotatedTable, number: int, name: str, *, one_of_many: bool) -> None:
        who = PurePosixPath(name).stem
        for row in range(len(part)):
            place = self._places.setdefault(_key(part, row, number), len(self.numbers))
            if place == len(self.numbers):
                self.numbers.append(f"{name}:{part.number(row)}" if one_of_many else part.number(row))
            for column, values in part.columns.items():
                if column not in part.votes and column not in part.suggestions:
                    _reaching(self.columns, column, place, None)[place] = values[row]
            for said, found in ((self.votes, part.votes), (self.suggestions, part.suggestions)):
                for question, answers in found.items():
                    made = [vote._replace(annotator=vote.annotator or who) for vote in answers[row]]
                    _reaching(said, question, place, [])[place] += made

    def settled(self) -> dict[str, list[Any]]:
        """All columns, of the same length."""
        last = len(self.numbers) - 1
        for said in (self.votes, self.suggestions):
            for question in said:
                self.columns[question] = [settled(one) for one in _reaching(said, question, last, [])]
        return {name: _reaching(self.columns, name, last, None) for name in self.columns}


def _key(part: AnnotatedTable, row: int, number: int) -> Any:
    """What says that two rows are about one text: their id, and the longest of their texts."""
    if "id" not in part.roles:
        return number, row
    texts = [
        values[row] for column, values in part.columns.items() if column not in part.votes and column not in part.suggestions
    ]
    return str(part.columns[part.roles["id"]][row]), max((one for one in texts if isinstance(one, str)), key=len, default="")


def _reaching(columns: dict[str, Any], name: str, place: int, empty: list[Vote] | None) -> Any:
    """A column, filled up to a place."""
    values = columns.setdefault(name, [])
    while len(values) <= place:
        values.append(None if empty is None else [])
    return values
