"""Proof, at the address of the proofs that the scores mean something."""

from pages.ui import proof
from pages.ui.frame import shell

proof.draw(shell.begin("evidence"), proof.TRUST)
