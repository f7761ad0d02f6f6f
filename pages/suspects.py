"""Suspects: training examples ranked by how likely their label is wrong."""

from pages.shared import shell, suspects_page

suspects_page.draw(shell.begin("suspects"))
