"""Proof, at the address that trying a change has always had."""

from pages.ui import proof
from pages.ui.frame import shell

proof.draw(shell.begin("what_if"))
