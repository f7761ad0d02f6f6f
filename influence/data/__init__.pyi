from .advice import IMBALANCED as IMBALANCED, findings as findings
from .columns import (
    GUESS_RULE as GUESS_RULE,
    GUESSED_FROM as GUESSED_FROM,
    Guess as Guess,
    guess_columns as guess_columns,
    head as head,
)
from .dataset import (
    Columns as Columns,
    Dataset as Dataset,
    check_labels as check_labels,
    from_table as from_table,
    label_names as label_names,
    read_dataset as read_dataset,
    text_sha256 as text_sha256,
)
from .edits import (
    EDIT_KINDS as EDIT_KINDS,
    Edit as Edit,
    balance as balance,
    known_label as known_label,
    listed_kinds as listed_kinds,
    masked as masked,
    texts_of as texts_of,
)
from .masking import find as find, find_to_mask as find_to_mask
from .preparing import needs_preparing as needs_preparing, prepare as prepare, prepare_files as prepare_files
from .report import Spread as Spread, as_json as as_json, data_report as data_report
from .rewrite import NewCells as NewCells, rewritten as rewritten, written as written
from .settings import DEFAULT_SHARE as DEFAULT_SHARE, MOST_TEST as MOST_TEST, Preparation as Preparation
from .tables import Table as Table, read_table as read_table
from .words import (
    COUNTED_WORD as COUNTED_WORD,
    SPECIAL_SIDE as SPECIAL_SIDE,
    Span as Span,
    whole_words as whole_words,
)
