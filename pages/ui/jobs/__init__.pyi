from . import (
    again as again,
    background as background,
    build_view as build_view,
    builds as builds,
    compute as compute,
    processes as processes,
    waiting as waiting,
    wording as wording,
)
from .ahead import Ahead as Ahead
from .background import BAD_INPUT as BAD_INPUT, STOPPED as STOPPED, Job as Job
