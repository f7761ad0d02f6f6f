"""Data: from a file to a workspace, and the workspaces there are."""

from pages.ui import data
from pages.ui.frame import shell

data.draw(shell.begin_without("data_and_runs"))
