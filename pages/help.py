"""Help: what a score means, the keys, and the command lines."""

from pages.ui import help
from pages.ui.frame import shell

help.draw(shell.begin_without("help"))
