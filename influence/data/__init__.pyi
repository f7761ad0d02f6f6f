from .advice import IMBALANCED as IMBALANCED, findings as findings
from .columns import (
    GUESS_RULE as GUESS_RULE,
    GUESSED_FROM as GUESSED_FROM,
    Guess as Guess,
    guess_columns as guess_columns,
    head as head,
)
from .dataset import (
    Dataset as Dataset,
    check_labels as check_labels,
    from_table as from_table,
    label_names as label_names,
    read_dataset as read_dataset,
    rows_of as rows_of,
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
from .examples import Columns as Columns, Examples as Examples, picked as picked, read_examples as read_examples
from .labels import label_key as label_key
from .masking import TWO_WAYS as TWO_WAYS, find as find, find_to_mask as find_to_mask, folded as folded
from .preparing import Splits as Splits, make_splits as make_splits, read_splits as read_splits
from .report import DataReport as DataReport, Spread as Spread, as_json as as_json, data_report as data_report
from .settings import DEFAULT_SHARE as DEFAULT_SHARE, MOST_TEST as MOST_TEST, Preparation as Preparation
from .words import (
    COUNTED_WORD as COUNTED_WORD,
    SPECIAL_SIDE as SPECIAL_SIDE,
    Span as Span,
    is_common as is_common,
    is_function_word as is_function_word,
    whole_span as whole_span,
    whole_words as whole_words,
)
