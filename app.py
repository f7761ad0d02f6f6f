"""Home: what this workspace is, how good its model is, and where to go next."""

from pages.ui import home
from pages.ui.frame import shell

home.draw(shell.begin("home"))
