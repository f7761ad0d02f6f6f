"""A table of cells: columns by name, where they came from, and the rows that could not be read."""

from dataclasses import dataclass, field
from typing import Any

from influence.errors import DataError
from influence.reading.form import Form

LISTED = 20  # columns named in a message


@dataclass(frozen=True)
class Table:
    """Columns of equal length, by name, with values as the file has them; what they mean is the business of `data`.

    A row that cannot be read (`broken`: its number, from 0, and why) has no value in any column and keeps its number.
    """

    columns: dict[str, list[Any]]
    source: str
    sha256: str  # of the file's bytes; of the content for a data set that is not one file
    form: Form = field(default=Form(kind="data set"), compare=False)
    broken: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def number(self, row: int) -> int:
        """A row's number as a spreadsheet or an editor counts: from 1, the line of names with them where there is one.

        Blank lines, which are no rows, are not counted.
        """
        return row + (2 if self.form.kind == "delimited" else 1)

    def column(self, name: str, option: str) -> str:
        """The name of a column as the file has it: exactly, or else but for blanks around it, where only one is so.

        Raises `DataError` for one that is not there.
        """
        if name in self.columns:
            return name
        alike = [found for found in self.columns if found.strip() == name.strip()]
        if len(alike) == 1:
            return alike[0]
        shown = ", ".join(map(repr, list(self.columns)[:LISTED])) + (", …" if len(self.columns) > LISTED else "")
        raise DataError(f"{option} {name!r}: {self.source!r} has no such column; it has {shown or 'none'}")


def check_names(source: str, names: list[str]) -> None:
    """Raise `DataError` for a column that stands twice."""
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"{source!r}: column {twice!r} stands more than once; rename one")


def check_broken(source: str, broken: dict[int, str], rows: int, hint: str) -> None:
    """Raise `DataError` where so many rows cannot be read that the file is none of the kind it was taken for."""
    if 2 * len(broken) > rows:
        raise DataError(f"{source!r} {next(iter(broken.values()))}; {hint}")
