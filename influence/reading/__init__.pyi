from .cells import SEVERAL as SEVERAL, Odd as Odd, as_text as as_text, label_cell as label_cell, read_cell as read_cell
from .form import (
    ENCODINGS as ENCODINGS,
    SUFFIXES as SUFFIXES,
    Form as Form,
    FormOptions as FormOptions,
    data_suffix as data_suffix,
    whole_suffix as whole_suffix,
)
from .hub import (
    SPLIT_MARK as SPLIT_MARK,
    DataSet as DataSet,
    is_data_set as is_data_set,
    is_saved as is_saved,
    no_split as no_split,
    rewrite_data_set as rewrite_data_set,
    without_split as without_split,
)
from .limits import MOST_ENTRIES as MOST_ENTRIES, check_unfolded as check_unfolded
from .opening import check_content as check_content
from .parquet import parquet_objects as parquet_objects, parquet_rows as parquet_rows
from .read import read_chunks as read_chunks, read_table as read_table
from .rewrite import NewCells as NewCells, rewritten as rewritten, written as written
from .table import Piece as Piece, Table as Table
