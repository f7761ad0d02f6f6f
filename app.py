"""Home: what this workspace is, how good its model is, and where to go next."""

from pages.shared import overview, shell

overview.draw(shell.begin("home"))
