from .choices import Choices as Choices, read_choices as read_choices, write_choices as write_choices
from .compute import SUSPECTS as SUSPECTS, write_suspects as write_suspects
from .ranking import (
    Suspect as Suspect,
    SuspectFilter as SuspectFilter,
    difficult_examples as difficult_examples,
    has_suspects as has_suspects,
    provenance as provenance,
    suspect as suspect,
    suspect_ids as suspect_ids,
    suspects as suspects,
    suspects_behind as suspects_behind,
)
from .settings import (
    DEFAULT_FOLDS as DEFAULT_FOLDS,
    DEFAULT_MODELS as DEFAULT_MODELS,
    HeldOutSettings as HeldOutSettings,
)
from .tables import SIGNALS as SIGNALS
