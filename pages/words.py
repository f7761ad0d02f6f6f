"""Words: which words carry the most negative influence over the mistakes."""

from pages.ui import words
from pages.ui.frame import shell

words.draw(shell.begin("words"))
