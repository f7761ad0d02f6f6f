"""Words: which words carry the most negative influence over the mistakes."""

from pages.shared import words_page
from pages.ui.frame import shell

words_page.draw(shell.begin("words"))
