from .agreements import (
    FEWEST_FOR_KAPPA as FEWEST_FOR_KAPPA,
    Agreement as Agreement,
    ControlResult as ControlResult,
    Resolution as Resolution,
    agreement as agreement,
    conflicts as conflicts,
    control_results as control_results,
    resolve as resolve,
)
from .bulk import BulkPreview as BulkPreview, decide_bulk as decide_bulk, preview_bulk as preview_bulk
from .corpus import Corpus as Corpus, TrainExample as TrainExample
from .events import (
    IMPORTED as IMPORTED,
    NAMES_JOIN as NAMES_JOIN,
    POLICIES as POLICIES,
    Action as Action,
    Decision as Decision,
    Event as Event,
    Evidence as Evidence,
    Note as Note,
    Reviewer as Reviewer,
    checked_event as checked_event,
    iso as iso,
)
from .log import JOURNAL as JOURNAL, has_reviews as has_reviews
from .queues import (
    FLAGGED as FLAGGED,
    SUSPECTS as SUSPECTS,
    Queue as Queue,
    QueueProgress as QueueProgress,
    Queues as Queues,
)
from .reviews import Reviews as Reviews, open_reviews as open_reviews, read_reviews as read_reviews
from .state import Move as Move
