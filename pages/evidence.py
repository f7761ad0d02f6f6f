"""Evidence: whether the scores mean anything on this data, found out by retraining."""

from pages.ui import evidence
from pages.ui.frame import shell

evidence.draw(shell.begin("evidence"))
