"""What annotators said of a text, and the label that it comes to."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from influence.reading import Odd, label_cell

DISAGREE = Odd("annotators who disagree")


class Vote(NamedTuple):
    """What one annotator, or a model, said of one text."""

    annotator: str  # as the tool names them: an e-mail address, a number, a user's id; "" where it names nobody
    value: Any  # the label as a cell of the file; a list where several were given
    at: str = ""  # when, as the tool writes it
    certain: bool = False  # marked as the truth, which others do not outvote
    score: float | None = None  # of a model, as the tool has it

    @property
    def label(self) -> str | None:
        """The label, where it is one."""
        found = label_cell(self.value)
        return found if isinstance(found, str) and found.strip() else None


def settled(votes: Sequence[Vote]) -> Any:
    """The cell that most votes give; of those that are marked as the truth, where there are any.

    None without a vote, `DISAGREE` where two labels have equally many.
    """
    counted = [vote for vote in votes if vote.certain] or votes
    if not counted:
        return None
    cells = [label_cell(vote.value) for vote in counted]
    (first, most), *others = Counter(cells).most_common(2)
    if others and others[0][1] == most:
        return DISAGREE
    value = counted[cells.index(first)].value
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    return first if isinstance(value, str) else value  # a number stays one


def annotator_name(given: Any) -> str:
    """Who annotated, from what a tool writes of them: a number, a name, or an object with an e-mail address or an id."""
    if isinstance(given, dict):
        given = next((given[key] for key in ("email", "username", "id") if given.get(key) not in (None, "")), "")
    if given is None or isinstance(given, bool | float | list | Odd):
        return ""
    name = str(given).strip()
    return f"annotator {name}" if name.isdecimal() else name


def model_score(given: Any) -> float | None:
    """A model's score, where it is a number that can be one."""
    if not isinstance(given, int | float):
        return None
    try:
        found = float(given)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
