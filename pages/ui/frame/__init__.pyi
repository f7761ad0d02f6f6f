from . import (
    access as access,
    answers as answers,
    messages as messages,
    numbers as numbers,
    render as render,
    reviewer as reviewer,
    shell as shell,
    state as state,
    workspaces as workspaces,
)
from .address import (
    Address as Address,
    Binding as Binding,
    OnChange as OnChange,
    arrive as arrive,
    bind as bind,
    go as go,
    latest as latest,
    turn_pages as turn_pages,
)
from .numbers import MINUS as MINUS
from .render import component as component, md as md
from .session import Session as Session
