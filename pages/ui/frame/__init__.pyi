from . import (
    address as address,
    answers as answers,
    numbers as numbers,
    render as render,
    reviewer as reviewer,
    session as session,
    shell as shell,
    workspaces as workspaces,
)
from .address import Place as Place, go as go, latest as latest
from .numbers import MINUS as MINUS
from .render import md as md, script as script, sheet as sheet
from .session import Desk as Desk
