from .choice import choose as choose
from .differences import DIFFERENCES as DIFFERENCES
from .kept import load_checkpoint as load_checkpoint, load_checkpoints as load_checkpoints
from .moments import read_second_moments as read_second_moments
from .places import RUN as RUN, predictions_folder as predictions_folder
from .selection import Selection as Selection
from .series import (
    OPTIMIZER as OPTIMIZER,
    Checkpoint as Checkpoint,
    CheckpointTrainer as CheckpointTrainer,
    Epoch as Epoch,
    import_checkpoints as import_checkpoints,
    read_checkpoints as read_checkpoints,
    read_epochs as read_epochs,
)
from .settings import MOST_CHECKPOINTS as MOST_CHECKPOINTS
