from .alike import Alike as Alike, first_alike as first_alike
from .curvature import LayerCurvature as LayerCurvature
from .layers import (
    Layer as Layer,
    Trace as Trace,
    TracedModel as TracedModel,
    bias_of as bias_of,
    chosen_layers as chosen_layers,
    layers_of as layers_of,
    weight_of as weight_of,
)
from .positions import (
    BatchGradients as BatchGradients,
    GradientSettings as GradientSettings,
    HookedModel as HookedModel,
    WordGradients as WordGradients,
    check_precision as check_precision,
)
from .score_words import ScoreWords as ScoreWords
from .self_check import check_model as check_model
