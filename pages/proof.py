"""Proof: what fixes and other changes would do, and whether the scores mean anything, found out by retraining."""

from pages.ui import proof
from pages.ui.frame import shell

proof.draw(shell.begin("proof"))
