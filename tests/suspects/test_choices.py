"""What a workspace keeps chosen about its ranking: kept whole, read back, and refused with one line where it makes no sense."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from influence.errors import SettingsError, WorkspaceError, WorkspaceNewer
from influence.suspects.choices import CHOICES, Choices, read_choices, write_choices


def test_without_a_file_the_usual_choices_hold(tmp_path: Path) -> None:
    assert read_choices(tmp_path) == Choices(test_labels_checked=False, use_test_balance=True, learn_every=50)


def test_choices_come_back_as_they_were_kept(tmp_path: Path) -> None:
    chosen = Choices(test_labels_checked=True, use_test_balance=False, learn_every=0)
    write_choices(tmp_path, chosen)
    assert read_choices(str(tmp_path)) == chosen
    write_choices(tmp_path, replace(chosen, learn_every=7))
    assert read_choices(tmp_path) == replace(chosen, learn_every=7)
    assert [file.name for file in tmp_path.iterdir()] == [CHOICES]


@pytest.mark.parametrize(
    ("field", "value"),
    [("learn_every", -1), ("learn_every", 2.5), ("learn_every", True), ("learn_every", 10**9), ("test_labels_checked", "yes")],
)
def test_a_choice_that_makes_no_sense_is_named(field: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"{field} {value!r}: ")):
        Choices(**{field: value})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Expecting"),
        ("[]", "no JSON object"),
        ("{}", "it has no 'version'"),
        ('{"version": 1, "learn_every": -3}', "learn_every -3"),
        ('{"version": 1, "colour": 3}', "it knows no 'colour'"),
    ],
)
def test_a_damaged_file_is_one_line_with_the_way_out(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / CHOICES).write_text(content)
    with pytest.raises(WorkspaceError, match=r"suspects\.json' is damaged") as caught:
        read_choices(tmp_path)
    assert why in str(caught.value)
    assert "delete it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHOICES).write_text(json.dumps({"version": 2, "learn_every": 50}))
    with pytest.raises(WorkspaceNewer, match="version 2, this Wordtrace knows 1"):
        read_choices(tmp_path)


def test_a_folder_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be written: No such file"):
        write_choices(tmp_path / "gone", Choices())
