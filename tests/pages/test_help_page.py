"""Help: the keys that there are, and commands that can be run."""

import html
import re
import shlex

from conftest import shown

from influence.cli.commands import parser
from pages.ui.help import page
from pages.ui.review import labels


def test_every_key_of_review_is_listed():
    listed = {key for name, keys in page.KEYS for key, _ in keys if name == "Review"}
    there = {one["key"] for one in (*labels.decisions(), *labels.STEPS, labels.FIND)}
    assert there <= listed


def test_every_command_is_one_that_the_command_line_takes(open_page, workspaces):
    app = open_page("help", workspace="tiny")
    assert not app.exception
    commands = [html.unescape(text) for text in re.findall(r"<code>(.*?)</code>", shown(app), re.DOTALL)]
    assert len(commands) == len(page.COMMANDS)
    for command in commands:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "influence"]
        parser().parse_args([word for word in words[3:] if word != "…"])
    assert any(str(workspaces / "tiny") in command for command in commands)
