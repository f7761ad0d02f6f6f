"""Clusters: suspects that share a cause, named by the words they share."""

from pages.shared import clusters_page
from pages.ui.frame import shell

clusters_page.draw(shell.begin("clusters"))
