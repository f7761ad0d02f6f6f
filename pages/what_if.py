"""What-if: try a change to the training data by retraining, before anybody makes it."""

from pages.shared import whatif_page
from pages.ui.frame import shell

whatif_page.draw(shell.begin("what_if"))
