"""What is wrong with a file of opinions, gathered over its rows and told in one line."""

from collections.abc import Callable

from influence.errors import DataError


class Faults:
    """Rows at fault, by what is wrong with them."""

    def __init__(self, source: str, number: Callable[[int], int | str]) -> None:
        self.source, self.number = source, number
        self._found: dict[str, tuple[str, int]] = {}  # what is wrong: the first row's detail, and how many there are

    def add(self, what: str, row: int, detail: str) -> None:
        """A row (from 0) of which `what` is true, as it follows "3 rows"; the detail is told of the first such row."""
        first, count = self._found.get(what, (f"row {self.number(row)}: {detail}", 0))
        self._found[what] = first, count + 1

    def check(self) -> None:
        """Raise `DataError` for what was found first."""
        for what, (first, count) in self._found.items():
            raise DataError(f"{self.source!r}: {count:,} {'row' if count == 1 else 'rows'} {what} ({first})")
