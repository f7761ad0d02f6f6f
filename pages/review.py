"""Review: one training example at a time, decided by keyboard."""

from pages.ui import review
from pages.ui.frame import shell

review.draw(shell.begin("review"))
