"""What-if: try a change to the training data by retraining, before anybody makes it."""

from pages.shared import shell, whatif_page

whatif_page.draw(shell.begin("what_if"))
