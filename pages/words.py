"""Words: which words carry the most negative influence over the mistakes."""

from pages.shared import shell, words_page

words_page.draw(shell.begin("words"))
