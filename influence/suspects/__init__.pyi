from .checks import DEFAULT_EVERY as DEFAULT_EVERY, with_checks as with_checks
from .choices import Choices as Choices, read_choices as read_choices, write_choices as write_choices
from .compute import SUSPECTS as SUSPECTS, usual_settings as usual_settings, write_suspects as write_suspects
from .controls import choose_controls as choose_controls
from .levels import Left as Left, Level as Level, Recent as Recent, Scale as Scale, scale as scale, wrong_chances as wrong_chances
from .ranking import (
    Suspect as Suspect,
    SuspectFilter as SuspectFilter,
    difficult_examples as difficult_examples,
    driven_by as driven_by,
    has_suspects as has_suspects,
    provenance as provenance,
    said as said,
    suspect as suspect,
    suspect_ids as suspect_ids,
    suspects as suspects,
    suspects_behind as suspects_behind,
    weak_model as weak_model,
)
from .reasons import Saying as Saying, names_nobody as names_nobody
from .tables import SIGNALS as SIGNALS
