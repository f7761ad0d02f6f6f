"""Suspects: training examples ranked by how likely their label is wrong."""

from pages.shared import suspects_page
from pages.ui.frame import shell

suspects_page.draw(shell.begin("suspects"))
