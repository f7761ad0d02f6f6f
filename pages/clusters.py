"""Clusters: suspects that share a cause, named by the words they share."""

from pages.shared import clusters_page, shell

clusters_page.draw(shell.begin("clusters"))
