from .cells import Odd as Odd, as_text as as_text, label_cell as label_cell, read_cell as read_cell
from .form import (
    ENCODINGS as ENCODINGS,
    SUFFIXES as SUFFIXES,
    Form as Form,
    FormOptions as FormOptions,
    data_suffix as data_suffix,
    whole_suffix as whole_suffix,
)
from .limits import check_unfolded as check_unfolded
from .opening import check_content as check_content
from .read import read_table as read_table
from .rewrite import NewCells as NewCells, rewritten as rewritten, written as written
from .table import Table as Table
