"""What-if: try a change to the training data by retraining, before anybody makes it."""

from pages.ui import what_if
from pages.ui.frame import shell

what_if.draw(shell.begin("what_if"))
