"""Evidence: whether the scores mean anything on this data, found out by retraining."""

from pages.shared import proof_page
from pages.ui.frame import shell

proof_page.draw(shell.begin("evidence"))
