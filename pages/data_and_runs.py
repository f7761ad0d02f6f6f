"""Data and runs: from a file to a workspace, and the workspaces there are."""

from pages.shared import data_page
from pages.ui.frame import shell

data_page.draw(shell.begin_without("data_and_runs"))
