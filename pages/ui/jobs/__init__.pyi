from . import background as background, compute as compute, processes as processes, waiting as waiting, wording as wording
from .background import BAD_INPUT as BAD_INPUT, Job as Job
