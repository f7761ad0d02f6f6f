"""Fix list: what the decisions come to, and the files to change the data with."""

from pages.ui import fix_list
from pages.ui.frame import shell

fix_list.draw(shell.begin("fix_list"))
