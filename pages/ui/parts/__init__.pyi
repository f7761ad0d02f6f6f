from . import (
    bulk_bar as bulk_bar,
    charts as charts,
    decision_charts as decision_charts,
    explanation_board as explanation_board,
    learning as learning,
    method_menu as method_menu,
    payloads as payloads,
    queues as queues,
    rows as rows,
    scales as scales,
    suspect_choice as suspect_choice,
    suspicions as suspicions,
    verdicts as verdicts,
)
from .bulk_bar import Chosen as Chosen
from .charts import MINUS as MINUS, PLUS as PLUS, STILL as STILL, TRAIN as TRAIN, label as label
from .decision_charts import COLOURS as COLOURS, SYMBOLS as SYMBOLS
from .payloads import (
    SHOWN as SHOWN,
    Piece as Piece,
    Row as Row,
    Scores as Scores,
    Signal as Signal,
    scores as scores,
    stamped as stamped,
)
from .queues import Source as Source
from .suspicions import SORTS as SORTS, Suspicion as Suspicion
