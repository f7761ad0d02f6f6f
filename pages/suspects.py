"""Suspects: training examples ranked by how likely their label is wrong."""

from pages.ui import suspects
from pages.ui.frame import shell

suspects.draw(shell.begin("suspects"), "one")
