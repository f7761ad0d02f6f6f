from .index import (
    QUERY_BLOCK_BYTES as QUERY_BLOCK_BYTES,
    WordIndex as WordIndex,
    queries_at_once as queries_at_once,
)
from .live_model import LiveModel as LiveModel
from .matches import Matches as Matches, Strongest as Strongest
from .method import Method as Method
from .methods import METHODS as METHODS, get_method as get_method
from .query import (
    DEFAULT_METHOD as DEFAULT_METHOD,
    METHOD_NAMES as METHOD_NAMES,
    TEXTS_ONLY as TEXTS_ONLY,
    MethodSettings as MethodSettings,
    Query as Query,
    QueryCheckpoint as QueryCheckpoint,
    SpecialTokens as SpecialTokens,
    WordSelection as WordSelection,
    check_method as check_method,
)
from .stored_queries import (
    LiveQueries as LiveQueries,
    Queries as Queries,
    StoredQueries as StoredQueries,
    train_queries as train_queries,
)
from .training_set import Parts as Parts, TrainingSet as TrainingSet
