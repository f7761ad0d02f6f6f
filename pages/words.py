"""Suspects by word: the words that pull hardest against the test mistakes."""

from pages.ui import suspects
from pages.ui.frame import shell

suspects.draw(shell.begin("words"), "word")
