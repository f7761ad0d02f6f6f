"""Explore: the training sentences, and the words in them, behind one prediction."""

from pages.ui import explore
from pages.ui.frame import shell

explore.draw(shell.begin("explore"))
