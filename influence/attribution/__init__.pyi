from .formulas import (
    bias_gradients as bias_gradients,
    extremes as extremes,
    tracin_term as tracin_term,
    weight_gradients as weight_gradients,
    word_gradients as word_gradients,
    word_products as word_products,
)
from .gradients import GradientSettings as GradientSettings, WordGradients as WordGradients, check_precision as check_precision
from .index import (
    QUERY_BLOCK_BYTES as QUERY_BLOCK_BYTES,
    REST as REST,
    TOP as TOP,
    Matches as Matches,
    WordIndex as WordIndex,
    queries_at_once as queries_at_once,
)
from .index_writer import IndexSettings as IndexSettings, estimated_bytes as estimated_bytes, write_split as write_split
from .layers import (
    Layer as Layer,
    Trace as Trace,
    TracedModel as TracedModel,
    bias_of as bias_of,
    layers_of as layers_of,
    weight_of as weight_of,
)
from .live_model import LiveModel as LiveModel
from .methods import METHODS as METHODS, Method as Method, get_method as get_method
from .query import (
    DEFAULT_METHOD as DEFAULT_METHOD,
    METHOD_NAMES as METHOD_NAMES,
    MethodSettings as MethodSettings,
    Query as Query,
    SpecialTokens as SpecialTokens,
    WordSelection as WordSelection,
    check_method as check_method,
)
from .stored_queries import StoredQueries as StoredQueries, TrainQueries as TrainQueries
from .training_set import Parts as Parts, TrainingSet as TrainingSet
