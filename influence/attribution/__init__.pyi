from .index import (
    QUERY_BLOCK_BYTES as QUERY_BLOCK_BYTES,
    REST as REST,
    TOP as TOP,
    Matches as Matches,
    WordIndex as WordIndex,
    queries_at_once as queries_at_once,
)
from .index_writer import IndexSettings as IndexSettings, estimated_bytes as estimated_bytes, write_split as write_split
from .live_model import LiveModel as LiveModel
from .method import Method as Method
from .methods import METHODS as METHODS, get_method as get_method
from .query import (
    DEFAULT_METHOD as DEFAULT_METHOD,
    METHOD_NAMES as METHOD_NAMES,
    TEXTS_ONLY as TEXTS_ONLY,
    MethodSettings as MethodSettings,
    Query as Query,
    SpecialTokens as SpecialTokens,
    WordSelection as WordSelection,
    check_method as check_method,
)
from .stored_queries import StoredQueries as StoredQueries, TrainQueries as TrainQueries
from .training_set import Parts as Parts, TrainingSet as TrainingSet
