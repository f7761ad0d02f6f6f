from .average import contradicted_share as contradicted_share, suspicion as suspicion
from .cross_validation import train_held_out as train_held_out
from .encoder import check_encoder as check_encoder
from .gathering import Gathered as Gathered, baseline_accuracy as baseline_accuracy, gather as gather
from .held_out import HeldOutModel as HeldOutModel, held_out_models as held_out_models, is_trained as is_trained
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
