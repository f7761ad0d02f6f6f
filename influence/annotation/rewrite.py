"""Writing a tool's file again with some labels and texts changed, or some texts left out; all else stays as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from influence.annotation.table import AnnotatedTable
from influence.reading import NewCells, Table, rewrite_data_set, rewritten as rewritten_plain


def rewritten(table: Table, cells: NewCells) -> bytes:
    """`reading.rewritten`, of a tool's file by what its rows come to."""
    return rewritten_plain(table.raw if isinstance(table, AnnotatedTable) else table, _raw_cells(table, cells))


def save_rewritten(table: Table, cells: NewCells, folder: Path) -> None:
    """The same of the training part of a data set, as the folder that `save_to_disk` makes: its other parts go along."""
    rewrite_data_set(table.source, "train", _raw_cells(table, cells), folder)


def _raw_cells(table: Table, cells: NewCells) -> NewCells:
    """The changes of the file's own rows, by its own columns."""
    if not isinstance(table, AnnotatedTable):
        return cells
    changes: dict[int, dict[str, Any] | None] = {}
    for place, change in cells.items():
        rows = table.places[place]
        if change is None:
            changes |= dict.fromkeys(rows)
            continue
        texts: dict[str, Any] = {}
        made: list[NewCells] = []
        for name, value in change.items():
            if name in table.votes or name in table.suggestions:
                made.append(table.shape.relabelled(table.raw, rows, name, value))
            else:
                texts[name] = value
        if texts:
            made.append(table.shape.reworded(table.raw, rows, texts))
        for one in made:
            _put(changes, one)
    return changes


def _put(changes: dict[int, dict[str, Any] | None], more: NewCells) -> None:
    for row, change in more.items():
        here: Mapping[str, Any] = changes.get(row) or {}
        changes[row] = None if change is None else {**here, **change}
