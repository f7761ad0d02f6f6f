"""Answers found by several places, a share of the segments each, are those of one."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tiny import request, rows, write_csv

import influence.explanations.spreading as spreading
from influence import explain
from influence.engines import Processes
from influence.explanations import Explanation, spread_over
from influence.explanations.explaining import strongest_of_share
from influence.explanations.spreading import ask
from influence.workspace import WorkspaceReader, build_workspace, read_workspace

pytestmark = pytest.mark.slow  # three processes that import PyTorch, twice
PLACES = 3
QUESTIONS = [
    {"text": "a very good film"},
    {"text": "the plot is dull", "label": "pos", "method": "tracin-we"},
    {"text": "a very good film", "special_tokens": "only"},
    {"test_id": "te3", "top": 50},
    {"test_id": "te3", "label": "neg"},
    {"train_id": "tr5"},
    {"test_id": "te1", "method": "tracin-we-noc"},
    {"test_id": "te1", "method": "tracin-we-syn"},
    {"test_id": "te1", "method": "tracin-last"},
]


@pytest.fixture(scope="module")
def opened(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceReader]:
    """A workspace of nine segments, in which many texts stand in several."""
    import influence.segments.build as layout

    folder, plan = tmp_path_factory.mktemp("spread"), layout.plan_segments
    made = rows(60, seed=1, prefix="tr")
    copies = [(f"copy{number}", text, label) for number, (_, text, label) in enumerate(made[:48])]
    train = write_csv(folder / "train.csv", [*made, *copies])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "plan_segments", lambda n, width, how: plan(n, width, replace(how, segment_examples=12)))
        build_workspace(folder / "w", replace(request(data), train=train))
    workspace = read_workspace(folder / "w")
    assert len(workspace.index.split.segments) == 9
    yield workspace
    workspace.close()


@pytest.fixture
def spread() -> Iterator[None]:
    spread_over(Processes([{}] * PLACES))
    yield
    spread_over(None)


def test_answers_are_those_of_one(opened: WorkspaceReader, spread: None) -> None:
    there = [explain(opened, **question) for question in QUESTIONS]  # type: ignore[arg-type]
    assert opened in spreading._held  # and was not answered here
    spread_over(None)
    here = [explain(opened, **question) for question in QUESTIONS]  # type: ignore[arg-type]
    for question, one, other in zip(QUESTIONS, there, here, strict=True):
        assert one == other, question
    assert sum(len(one.proponents) for one in here) > 50


def test_each_looks_at_its_share_alone(opened: WorkspaceReader, spread: None) -> None:
    question = {"test_id": "te3", "train_id": None, "text": None, "text_pair": None, "label": None}
    answers = ask(opened, strongest_of_share, {**question, "method": "tracin-we-topk", "special_tokens": "include", "top": 100})
    assert answers is not None
    assert len(answers) == PLACES
    for place, (proponents, _) in enumerate(answers):
        scored = [example // 12 % PLACES for example in proponents["examples"]]
        assert scored
        assert set(scored) == {place}


def test_who_does_not_answer_is_done_without(opened: WorkspaceReader, spread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed place costs no answer; it is asked again, anew, after a while."""
    monkeypatch.setattr(spreading, "_until", [0.0])
    before = question(opened)
    held = spreading._held[opened]
    os.kill(held._processes[1]._process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    assert question(opened) == before
    assert opened not in spreading._held
    assert question(opened) == before
    assert opened not in spreading._held
    monkeypatch.setattr(spreading, "_until", [0.0])  # the while is over
    assert question(opened) == before
    assert opened in spreading._held


def question(opened: WorkspaceReader) -> Explanation:
    return explain(opened, text="a very good film")
