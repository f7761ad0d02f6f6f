from .average import Voice as Voice, suspicion as suspicion, who_says as who_says
from .cross_validation import ensure_trained as ensure_trained
from .encoder import check_encoder as check_encoder
from .gathering import Gathered as Gathered, baseline_accuracy as baseline_accuracy, gather as gather
from .held_out import held_out_models as held_out_models
from .material import Material as Material
from .opinion import Opinion as Opinion, Taught as Taught
from .settings import (
    AUTO as AUTO,
    DEFAULT_FOLDS as DEFAULT_FOLDS,
    NO_ENCODER as NO_ENCODER,
    HeldOutSettings as HeldOutSettings,
    OpinionSettings as OpinionSettings,
    read_settings as read_settings,
)
from .words import said_by_words as said_by_words
