"""Explore: the training sentences, and the words in them, behind one prediction."""

from pages.shared import explore, shell

explore.draw(shell.begin("explore"))
