"""Suspects by cause: those that pull the model the same way, named by the words they share."""

from pages.ui import suspects
from pages.ui.frame import shell

suspects.draw(shell.begin("clusters"), "cause")
