"""What Explore's reader is likely to ask for next, made ready in the background: the sentences beside this one, the model."""

from functools import partial

import influence
from influence.explanations import word_pieces
from pages.ui.explore import answer, asking
from pages.ui.explore.address import ExploreAddress
from pages.ui.jobs import Ahead
from pages.ui.parts import method_menu

_answers = Ahead(kept=256)
_models = Ahead(kept=8)  # by itself: loading takes seconds, and no answer is to wait for it


def beside(workspace: influence.Workspace, address: ExploreAddress, *ids: str | None) -> None:
    """Have the same question about other sentences answered, unless that takes long."""
    if method_menu.of(workspace, address.method).slow:
        return
    for id in filter(None, ids):
        there = address.at(id=id, pin="", target="")
        _answers.prepare(asking.key_of(workspace, there, there.method), partial(_answer, workspace, there))


def model(workspace: influence.Workspace, address: ExploreAddress, explained: str) -> None:
    """Have the checkpoints loaded, which another label or a text of the reader's own waits for: by asking about another label."""
    other = next((label for label in workspace.info.labels if label != explained), explained)
    asked = address.at(target=other, method=influence.DEFAULT_METHOD)
    _models.prepare(str(workspace.build), partial(_answer, workspace, asked))


def _answer(workspace: influence.Workspace, address: ExploreAddress) -> None:
    word_pieces(workspace)
    answer.doubted(workspace)
    asking.answer(workspace, address, address.method, top=address.top)
