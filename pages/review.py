"""Review: one training example at a time, decided by keyboard."""

from pages.shared import review, shell

review.draw(shell.begin("review"))
