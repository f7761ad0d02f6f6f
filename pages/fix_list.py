"""Fix list: what the decisions come to, and the files to change the data with."""

from pages.shared import fix_page
from pages.ui.frame import shell

fix_page.draw(shell.begin("fix_list"))
