"""What if the training data were changed? Retrained without the change and with it, over the same seeds.

    outcome = try_out(workspace, propose(workspace, "decided"), test_ids=["rt-0005"], seeds=5)
    for measure in outcome.measures: print(measure.name, measure.paired.difference, measure.paired.interval)

Axes: S seeds, M test examples, Y labels.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from influence.attribution import METHODS
from influence.engines import Engine
from influence.errors import QueryError, SettingsError
from influence.experiments.deletion import loss_of
from influence.experiments.proposals import Proposal
from influence.experiments.settings import DEFAULT_SEEDS
from influence.experiments.statistics import LOSS, SHARE, Paired
from influence.experiments.trials import Ranking
from influence.experiments.whatif_tables import HEAD, WhatIfStore, opened
from influence.explanations import positions_of
from influence.files import load_array
from influence.retraining import Change, Run, retrain, seeds_of, to_train
from influence.types import FloatArray, IntArray, Progress, silent
from influence.workspace import WorkspaceReader

MOST_SEEDS = 50
MOVED = 5  # test sentences shown at either end, of those that a change moves most
MOST_TESTS = 50
IN_NATS = ("qld", "rise", "random")  # measures that are losses


@dataclass(frozen=True)
class Measure:
    """One number before and after a change.

    `kind` "test": the probability of `label` for the test sentence `name`; "moved": likewise, of a sentence picked because
    it moved most; "accuracy": share of the test sentences predicted right, 0 to 1; "class": likewise of those labelled
    `label`. In nats are the losses on `label` for the sentence `name` of a ranking put to the test: "rise": with nothing
    removed and without the top 1 %; "random": with nothing removed and without as many random ones; "qld": without the
    random ones and without the top 1 %, so that the difference is QLD.
    """

    kind: str
    name: str
    label: str
    paired: Paired


@dataclass(frozen=True)
class Outcome:
    """What one change did. `change` is the key that retrainings of it are kept under; `facts` are its numbers."""

    id: str
    spec: str
    change: str
    made_at: str  # ISO 8601, UTC
    title: str
    counts: dict[str, int]  # removed, relabelled, masked
    before: dict[str, int]  # class counts
    after: dict[str, int]
    notes: list[str]
    seeds: list[int]
    trained: int  # models that this what-if had to train; others were there
    seconds: float  # of training them
    fixed: float  # test sentences, mean over the seeds: wrong without the change and right with it
    broken: float  # and the other way round
    control_flips: float | None  # test sentences on which two retrainings without any change differ, mean; None: one seed
    measures: list[Measure]
    method: str = ""  # whose ranking was put to the test, if any was

    def of(self, *kinds: str) -> list[Measure]:
        """The measures of some kinds, in order."""
        return [measure for measure in self.measures if measure.kind in kinds]


def try_out(
    workspace: WorkspaceReader,
    proposal: Proposal,
    *,
    test_ids: Sequence[str] = (),
    seeds: int = DEFAULT_SEEDS,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Retrain without and with a change, once a seed, and keep what it did; retrainings that were made before are reused.

    Raises `QueryError` for an unknown test id, `SettingsError` for an impossible number of seeds or a workspace that cannot
    be retrained. Nothing is kept of an interrupted what-if but the models that were finished.
    """
    rows = test_rows(workspace, [*proposal.test_ids, *test_ids])
    chosen = seeds_for(workspace, seeds)
    sides = _sides(workspace, proposal.change, proposal.ranking, chosen)
    (without, with_change, *random), trained, seconds = _retrained(workspace, sides, device, engine, progress)
    labels_M = np.asarray(load_array(workspace.build / "index" / "test" / "labels.npy"))
    measures = measured(workspace, without, with_change, labels_M, rows)
    if proposal.ranking is not None:
        measures += ranked(workspace, proposal.ranking, labels_M, without, with_change, *random)
    fixed, broken, flips = flips_of(without, with_change, labels_M)
    outcome = Outcome(
        id=secrets.token_hex(8),
        spec=proposal.spec,
        change=proposal.change.key,
        made_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        title=proposal.title,
        counts=proposal.counts,
        before=proposal.before,
        after=proposal.after,
        notes=list(proposal.notes),
        seeds=chosen,
        trained=trained,
        seconds=seconds,
        fixed=fixed,
        broken=broken,
        control_flips=flips,
        measures=measures,
        method=proposal.ranking.method if proposal.ranking else "",
    )
    _keep(workspace, outcome)
    return outcome


def seeds_for(workspace: WorkspaceReader, count: int) -> list[int]:
    """The seeds of a what-if, see `seeds_of`. Raises `SettingsError` for an impossible number."""
    if not 1 <= count <= MOST_SEEDS:
        raise SettingsError(f"--seeds {count}: must be from 1 to {MOST_SEEDS}")
    return seeds_of(workspace, count)


def test_rows(workspace: WorkspaceReader, test_ids: Iterable[str]) -> dict[str, int]:
    """Test examples by id, as positions. Raises `QueryError` for an unknown one or too many."""
    found = positions_of(workspace, "test", test_ids)
    if len(found) > MOST_TESTS:
        raise QueryError(f"{len(found)} test ids: at most {MOST_TESTS} at once")
    return found


def measured(
    workspace: WorkspaceReader, before_SMY: FloatArray, after_SMY: FloatArray, labels_M: IntArray, rows: dict[str, int]
) -> list[Measure]:
    """Every number of a what-if from the label probabilities without and with the change."""
    names = workspace.info.labels
    right_before, right_after = (probabilities.argmax(axis=2) == labels_M for probabilities in (before_SMY, after_SMY))
    measures = []
    predicted = {example.id: example.predicted for example in workspace.store.examples("test", rows.values()).values()}
    for id, row in rows.items():
        wanted = [names[labels_M[row]]]
        if len(names) > 2 and predicted[id] not in wanted:
            wanted.append(predicted[id])  # with two labels it would say the same again
        for label in wanted:
            at = names.index(label)
            measures.append(Measure("test", id, label, _pair(before_SMY[:, row, at], after_SMY[:, row, at])))
    steps, shares = _steps(names, labels_M), [right.mean(axis=1) for right in (right_before, right_after)]
    measures.append(Measure("accuracy", "", "", _pair(*shares, step=steps["accuracy", ""])))
    for index, label in enumerate(names):
        of_label_M = labels_M == index
        if of_label_M.any():
            shares = [right[:, of_label_M].mean(axis=1) for right in (right_before, right_after)]
            measures.append(Measure("class", "", label, _pair(*shares, step=steps["class", label])))
    return measures + _moved(workspace, before_SMY, after_SMY, labels_M, rows)


def ranked(workspace: WorkspaceReader, ranking: Ranking, labels_M: IntArray, *sides_SMY: FloatArray) -> list[Measure]:
    """QLD of one ranking, from label probabilities with nothing, the top 1 %, and as many random examples removed."""
    row, label = ranking.test, int(labels_M[ranking.test])
    none_S, top_S, random_S = (tuple(loss_of(p_Y, label) for p_Y in side_SMY[:, row]) for side_SMY in sides_SMY)
    sides = {"qld": (random_S, top_S), "rise": (none_S, top_S), "random": (none_S, random_S)}
    id = workspace.store.examples("test", [row])[row].id
    return [Measure(kind, id, workspace.info.labels[label], Paired(*losses, possible=LOSS)) for kind, losses in sides.items()]


def _moved(
    workspace: WorkspaceReader, before_SMY: FloatArray, after_SMY: FloatArray, labels_M: IntArray, rows: dict[str, int]
) -> list[Measure]:
    """The test sentences whose own label gained, and lost, most."""
    given = labels_M[None, :, None]
    before_SM, after_SM = (
        np.take_along_axis(p, np.broadcast_to(given, (*p.shape[:2], 1)), 2)[..., 0] for p in (before_SMY, after_SMY)
    )
    mean_M = (after_SM - before_SM).mean(axis=0)
    order = [int(row) for row in np.argsort(-mean_M, kind="stable") if row not in set(rows.values())]
    up = [row for row in order[:MOVED] if mean_M[row] > 0]
    down = [row for row in order[::-1][:MOVED] if mean_M[row] < 0]
    examples = workspace.store.examples("test", [*up, *down])
    return [
        Measure("moved", examples[row].id, examples[row].label, _pair(before_SM[:, row], after_SM[:, row]))
        for row in [*up, *down]
    ]


def flips_of(before_SMY: FloatArray, after_SMY: FloatArray, labels_M: IntArray) -> tuple[float, float, float | None]:
    """Test sentences that the change rights and wrongs, means over the seeds, and on how many two controls differ."""
    before_SM, after_SM = before_SMY.argmax(axis=2), after_SMY.argmax(axis=2)
    fixed = ((before_SM != labels_M) & (after_SM == labels_M)).sum(axis=1).mean()
    broken = ((before_SM == labels_M) & (after_SM != labels_M)).sum(axis=1).mean()
    right_SM = before_SM == labels_M
    pairs = [(a != b).sum() for at, a in enumerate(right_SM) for b in right_SM[at + 1 :]]
    return float(fixed), float(broken), float(np.mean(pairs)) if pairs else None


def outcomes(workspace: WorkspaceReader) -> list[Outcome]:
    """Every what-if of the workspace's present build, the latest first."""
    with opened(workspace.path) as store:
        return [] if store is None else _outcomes(store, workspace)


def _outcomes(store: WhatIfStore, workspace: WorkspaceReader) -> list[Outcome]:
    steps = _steps(workspace.info.labels, np.asarray(load_array(workspace.build / "index" / "test" / "labels.npy")))
    found = store.outcomes(workspace.build.name)
    return [Outcome(**head, measures=_measures(store.measures(head["id"]), steps), **facts) for head, facts in found]


def models_left(workspace: WorkspaceReader, change: Change, seeds: int, ranking: Ranking | None = None) -> int:
    """How many models a what-if has to train: those that no retraining has left behind."""
    return to_train(workspace, (run for side in _sides(workspace, change, ranking, seeds_for(workspace, seeds)) for run in side))


def _measures(rows: Iterable[tuple[Any, ...]], steps: Mapping[tuple[str, str], float]) -> list[Measure]:
    groups: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for kind, name, label, _, before, after in rows:
        groups.setdefault((kind, name, label), []).append((before, after))
    measures = []
    for (kind, name, label), pairs in groups.items():
        before_S, after_S = map(tuple, zip(*pairs, strict=True))
        possible = LOSS if kind in IN_NATS else SHARE
        measures.append(Measure(kind, name, label, Paired(before_S, after_S, possible, steps.get((kind, label), 0.0))))
    return measures


def _pair(before_S: FloatArray, after_S: FloatArray, *, step: float = 0.0) -> Paired:
    return Paired(tuple(map(float, before_S)), tuple(map(float, after_S)), SHARE, step)


def _steps(labels: Sequence[str], labels_M: IntArray) -> dict[tuple[str, str], float]:
    """What one test sentence counts, in the accuracy on all of them and on those of each label."""
    counts = np.bincount(labels_M, minlength=len(labels)).tolist()
    of_label = {("class", label): 1 / count for label, count in zip(labels, counts, strict=True) if count}
    return {("accuracy", ""): 1 / len(labels_M), **of_label}


def _sides(workspace: WorkspaceReader, change: Change, ranking: Ranking | None, seeds: Sequence[int]) -> list[list[Run]]:
    """The runs without and with the change, by seed; where a ranking is put to the test, also with as many random removals."""
    with_S = [change] * len(seeds)
    if ranking is not None and METHODS[ranking.method].drawn:
        with_S = ranking.strongest(workspace, seeds)
    sides = [[Change()] * len(seeds), with_S]
    if ranking is not None:
        sides.append(ranking.as_many_random(workspace, with_S, seeds))
    return [[Run(*pair) for pair in zip(seeds, side, strict=True)] for side in sides]


def _retrained(
    workspace: WorkspaceReader, sides: Sequence[Sequence[Run]], device: str, engine: Engine | None, progress: Progress
) -> tuple[list[FloatArray], int, float]:
    """Test probabilities (S, M, Y) of each side, how many models had to be trained, and for how long."""
    runs = [run for of_seed in zip(*sides, strict=True) for run in of_seed]
    found = {result.run: result for result in retrain(workspace, runs, device=device, engine=engine, progress=progress)}
    trained = [result.seconds for result in found.values() if not result.reused]
    return [np.stack([found[run].probabilities_MY for run in side]) for side in sides], len(trained), sum(trained, 0.0)


def _question(outcome: Outcome) -> list[object]:
    """What was asked: the same again takes the earlier answer's place."""
    return [outcome.spec, outcome.change, outcome.seeds, sorted({m.name for m in outcome.of("test")})]


def _keep(workspace: WorkspaceReader, outcome: Outcome) -> None:
    head = {name: getattr(outcome, name) for name in HEAD}
    facts = {name: value for name, value in asdict(outcome).items() if name not in (*head, "measures")}
    rows = [
        {"outcome": outcome.id, "place": place, "seed": seed, "before": before, "after": after}
        | {name: getattr(measure, name) for name in ("kind", "name", "label")}
        for place, measure in enumerate(outcome.measures)
        for seed, before, after in zip(outcome.seeds, measure.paired.before_S, measure.paired.after_S, strict=True)
    ]
    first = {"build": workspace.build.name, **head, "facts": json.dumps(facts)}
    with opened(workspace.path, write=True) as store:
        assert store is not None
        same = [other.id for other in _outcomes(store, workspace) if _question(other) == _question(outcome)]
        store.add({"outcomes": [first], "measures": rows}, instead_of=same)
