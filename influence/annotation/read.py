"""Reading a data file, one of an annotation tool as the texts and answers that it holds."""

from influence.annotation import argilla, doccano, label_studio, prodigy
from influence.annotation.table import annotated
from influence.reading import FormOptions, Table, read_table as read_any

SHAPES = (
    label_studio.TASKS,
    label_studio.FLAT_ROWS,
    argilla.RECORDS,
    argilla.FLAT,
    prodigy.ANSWERED,
    doccano.EXPORT,
    doccano.CATS,
)


def read_table(name: str, *, split: str, options: FormOptions | None = None) -> Table:
    """`reading.read_table`; what a tool has written comes as an `AnnotatedTable`.

    Raises `DataError` also for a tool's file that annotates parts of texts.
    """
    return recognised(read_any(name, split=split, options=options or FormOptions()))


def recognised(raw: Table) -> Table:
    """A table as what a tool has written, where it is that; else as it is. Raises `DataError` as `read_table` does."""
    shape = next((shape for shape in SHAPES if len(raw) and shape.fits(raw)), None)
    return raw if shape is None else annotated(raw, shape)
