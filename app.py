"""Home: what this workspace is, how good its model is, and where to go next."""

from pages.shared import overview
from pages.ui.frame import shell

overview.draw(shell.begin("home"))
