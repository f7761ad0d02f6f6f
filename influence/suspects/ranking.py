"""Suspects: every training example ranked by how likely its label is wrong, with the signals and the reason.

    write_suspects("workspaces/demo")                     # in `compute`: computes them, once
    total, page = suspects(open_workspace("workspaces/demo"), limit=20)

Signals (columns of the frames; each is about one example and its own given label):

    suspicion               0 to 1, what the ranking goes by, no probability; see `opinions.suspicion`
    confidence              0 to 1, probability that the average of the opinions gives to its label
    contradicted_share      0 to 1, share of the opinions that find another label more probable
    self_influence          >= 0, sum over checkpoints of learning rate x squared gradient norm over its kept words
    misclassified_share     0 to 1, share of epochs, over all models trained on it, after which it was misclassified
    margin                  area under the margin: mean over epochs of logit of its label - largest other logit; low is bad
    held_out_confidence     0 to 1, probability that models which never saw it give to its label; missing without models
    opposition              >= 0, minus the sum of its negative scores on correctly predicted test examples
    opposed_tests           count of correctly predicted test examples among whose 100 strongest opponents it is
    driven_errors           count of wrongly predicted test examples of whose 100 strongest opponents' pull it carries 5 % or more
    neighbour_disagreement  0 to 1, share of its strongest same-word neighbours' pull that goes against it
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any

import pandas as pd

from influence.errors import QueryError, WorkspaceMissing
from influence.program import PROGRAM
from influence.suspects.reasons import Saying
from influence.suspects.suspicion import FORMULA
from influence.suspects.tables import SIGNALS, SuspectStore
from influence.workspace import WorkspaceReader, open_published, published

KIND = "suspects"


@dataclass(frozen=True, kw_only=True)
class SuspectFilter:
    """Which suspects to list; every condition must hold."""

    label: str | None = None
    suggested_label: str | None = None
    predicted: str | None = None  # by the workspace's own model at its last checkpoint
    changed: bool | None = None  # whether another label than the given one is suggested
    text: str = ""  # part of the text, ignoring case, or a whole id
    among: Sequence[str] | None = None  # these ids only
    without: Sequence[str] | None = None  # not these ids


@dataclass(frozen=True)
class Suspect:
    """One training example, its signals, and the wrong test predictions that it pushes."""

    train_id: str
    rank: int  # 1 is the most suspicious
    text: str
    text_pair: str | None
    label: str
    predicted: str
    suggested_label: str  # the given label: keep it
    suspicion: float
    reason: str
    signals: dict[str, float | None]  # by the names of `SIGNALS`
    read_errors: Callable[[], pd.DataFrame] = field(repr=False, compare=False)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """Columns test_id, label, predicted, text, text_pair, score (< 0), rank as opponent, word, share; read when asked for.

        Of every wrong test prediction among whose 100 strongest opponents it is; `share` is its part of their pull.
        """
        return self.read_errors()


def has_suspects(workspace: WorkspaceReader) -> bool:
    """Whether the suspects of a workspace have been computed."""
    found = published(workspace.build, KIND)
    return found is not None and found[1].get("formula") == FORMULA


def provenance(workspace: WorkspaceReader) -> dict[str, Any]:
    """What the suspects were made from: settings, decisions, opinions with their weights, baseline, versions, time."""
    return _store(workspace).provenance()


def weak_model(accuracy: float, baseline: float | None) -> list[str]:
    """A warning where tf-idf and logistic regression beat the workspace's model on the test split, and what to do; else none.

    Accuracies are 0 to 1; `baseline` is None where the texts have no words.
    """
    if baseline is None or baseline <= accuracy:
        return []
    return [
        f"a logistic regression on tf-idf is right on {baseline:.1%} of the test split, this model on {accuracy:.1%}: what it "
        "has learnt is worth less than counting words; use a pretrained --model, more --epochs or another --learning-rate"
    ]


def suspects(
    workspace: WorkspaceReader,
    filter: SuspectFilter | None = None,
    *,
    order: str = "-suspicion",
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, pd.DataFrame]:
    """How many suspects match, and one page of them: train_id, texts, labels, reason and every signal.

    `order` is a signal, with a minus in front for largest first. Raises `QueryError` for what is not a signal and
    `WorkspaceMissing` where the suspects have not been computed.
    """
    if limit < 1 or offset < 0:
        raise QueryError(f"a page of {limit} suspects from {offset}: the page must hold 1 or more and start at 0 or later")
    return _store(workspace).search(_conditions(filter), order, limit, offset)


def suspect_ids(workspace: WorkspaceReader, filter: SuspectFilter | None = None, *, order: str = "-suspicion") -> list[str]:
    """The ids of all suspects that match, in order; the same arguments and errors as `suspects`."""
    return _store(workspace).ids(_conditions(filter), order)


def said(workspace: WorkspaceReader, train_ids: Sequence[str]) -> dict[str, list[Saying]]:
    """What names of files of opinions say of some training examples, by id; those of whom nobody speaks are not among them."""
    return _store(workspace).said(train_ids)


def _conditions(filter: SuspectFilter | None) -> dict[str, Any]:
    found = asdict(filter or SuspectFilter())
    return {name: list(value) if isinstance(value, tuple | list) else value for name, value in found.items()}


def suspect(workspace: WorkspaceReader, train_id: str) -> Suspect:
    """One training example with the test errors it pushes. Raises `QueryError` for an unknown id."""
    store = _store(workspace)
    found = store.suspect(train_id)
    if found is None:
        raise QueryError(f"unknown training id {train_id!r} in workspace {workspace.name!r}")
    row: dict[str, Any] = {name: None if pd.isna(value) else value for name, value in found.items()}
    return Suspect(
        **{name: row[name] for name in Suspect.__dataclass_fields__ if name in row},
        signals={name: row[name] for name in SIGNALS},
        read_errors=partial(store.driven_errors, row["position"]),
    )


def suspects_behind(workspace: WorkspaceReader, test_id: str, *, changed: bool | None = True, limit: int = 20) -> pd.DataFrame:
    """The suspects behind a wrong test prediction: its strongest opponents whose own label is in doubt.

    Rows of `suspects` with the score (< 0, the strongest first), the place among the test example's opponents, the word that
    carries most of it, and `share`, its part of the pull of the 100 strongest. `changed`: only those for which another label
    is suggested (None: every opponent). Empty for a correct prediction. Raises `QueryError` for an unknown test id.
    """
    if test_id not in workspace.store.positions("test", [test_id]):
        raise QueryError(f"unknown test id {test_id!r} in workspace {workspace.name!r}")
    return _store(workspace).behind(test_id, changed, limit)


def rank_scores(workspace: WorkspaceReader) -> pd.DataFrame:
    """train_id, rank and suspicion of every training example, the most suspicious first."""
    return _store(workspace).rank_scores()


def difficult_examples(
    workspace: WorkspaceReader, share: float, cap: int, among: Sequence[int] | None = None
) -> tuple[pd.DataFrame, int]:
    """The most suspicious `cap` of the examples that at least `share` of the opinions contradict, and how many those are.

    With `among`, positions of training examples, those are the difficult ones, and `share` is not asked. Columns
    position, train_id, text, text_pair, label, predicted, suggested_label, suspicion and doubt: 1 - confidence, the
    probability that the average of the opinions gives to other labels.
    """
    return _store(workspace).difficult(share, cap, among)


def driven_by(workspace: WorkspaceReader, positions: Sequence[int]) -> pd.DataFrame:
    """The wrong test predictions among whose 100 strongest opponents some training examples are.

    Columns position, test_id, share (of the pull of those 100).
    """
    return _store(workspace).driven_by(positions)


def _store(workspace: WorkspaceReader) -> SuspectStore:
    if published(workspace.build, KIND) is not None and not has_suspects(workspace):
        raise WorkspaceMissing(
            f"the suspects of workspace {str(workspace.path)!r} were ranked by another version; rank them again with: "
            f"{PROGRAM} {KIND} --workspace {workspace.path}"
        )
    return open_published(workspace.path, workspace.build, KIND, SuspectStore)
