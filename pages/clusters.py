"""Clusters: suspects that share a cause, named by the words they share."""

from pages.ui import clusters
from pages.ui.frame import shell

clusters.draw(shell.begin("clusters"))
