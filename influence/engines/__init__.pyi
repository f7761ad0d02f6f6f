from .choice import ENGINES as ENGINES, LOCAL as LOCAL, RAY as RAY, chosen as chosen
from .engine import (
    Arguments as Arguments,
    Engine as Engine,
    Finished as Finished,
    Held as Held,
    Step as Step,
    Work as Work,
    name_of as name_of,
)
from .machine import (
    busy as busy,
    cores as cores,
    cores_there as cores_there,
    expected_seconds as expected_seconds,
    worth_processes as worth_processes,
)
from .processes import Processes as Processes, cards as cards
