"""One number for how likely a training label is wrong, the label it should have, and the rows of the suspects table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from influence.suspects.signals import Neighbours, Opinions, Opposition, calibrated, doubt, usual_confidence
from influence.types import FloatArray, IntArray

FORMULA = 2  # to be raised when the same signals come to another judgement, so that stored ones are computed anew
NEIGHBOUR_WEIGHT = 0.05  # of neighbour disagreement; chosen on planted noise, see tests/benchmarks/mislabels.py


@dataclass(frozen=True)
class Judgement:
    """What is thought of every training label, shape (N,)."""

    suspicion_N: FloatArray  # 0 to 1; above about 1/2 the models find another label more probable
    suggested_N: IntArray  # index of the label to give instead; the given one means keep


def judge(opinions: Opinions, factors_Y: FloatArray, neighbours: Neighbours) -> Judgement:
    """Combine what the models say with whether the strongest neighbours agree.

    Suspicion is 0.95 x the doubt of all models, over their whole training, in the given label + 0.05 x the neighbours'
    disagreement. The suggested label is the most probable one to all models and to those that never saw the example,
    weighed alike: the first hold on to a learnt label, the second change too many.
    """
    everyone_NY = calibrated(opinions.mean_NY(), factors_Y)
    held_out_NY = opinions.held_out_mean_NY()
    unseen_NY = everyone_NY if held_out_NY is None else calibrated(held_out_NY, factors_Y)
    doubts_N = doubt(everyone_NY, opinions.labels_N, usual_confidence(unseen_NY, opinions.labels_N))
    suspicion_N = (1 - NEIGHBOUR_WEIGHT) * doubts_N + NEIGHBOUR_WEIGHT * neighbours.disagreement_N
    return Judgement(suspicion_N, (everyone_NY + unseen_NY).argmax(axis=1))


def ranks(suspicion_N: FloatArray, tie_ranks_N: Sequence[int] | IntArray) -> IntArray:
    """Place of every example by suspicion, 1 the most suspicious; ties in order of `tie_ranks_N`."""
    places_N = np.empty(len(suspicion_N), dtype=np.int64)
    places_N[np.lexsort((np.asarray(tie_ranks_N), -suspicion_N))] = np.arange(1, len(suspicion_N) + 1)
    return places_N


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was found out about N training examples, on arrays in order of position."""

    names: list[str]  # of the labels
    opinions: Opinions
    held_out_confidence_N: FloatArray
    judgement: Judgement
    self_influence_N: FloatArray
    opposition: Opposition
    neighbours: Neighbours
    tie_ranks_N: IntArray


def suspect_rows(findings: Findings, examples: pd.DataFrame, errors: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """The table `suspects`, the most suspicious example first.

    `examples` are the training examples in order of position, `errors` the rows of `driven_errors`, `tests` those of
    `opposed_tests`.
    """
    positions = np.arange(len(examples))
    opposed = tests.set_index("position").reindex(positions)
    near, opinions, suggested_N = findings.neighbours, findings.opinions, findings.judgement.suggested_N
    rows = examples.assign(
        rank=ranks(findings.judgement.suspicion_N, findings.tie_ranks_N),
        suggested_label=np.array(findings.names, dtype=object)[suggested_N],
        suspicion=findings.judgement.suspicion_N,
        self_influence=findings.self_influence_N,
        misclassified_share=opinions.misclassified_share_N(),
        held_out_confidence=findings.held_out_confidence_N,
        opposition=findings.opposition.against_N,
        opposed_tests=opposed["tests"].fillna(0).astype(np.int32).to_numpy(),
        driven_errors=np.bincount(errors["position"], minlength=len(examples)),
        neighbour_disagreement=near.disagreement_N,
        held_out=opinions.held_out_N,
        votes=opinions.votes_NY[positions, suggested_N],
        trained=opinions.trained_N,
        missed=opinions.missed_N,
        opposed_word=opposed["word"].to_numpy(),
        neighbours=near.count_N,
        neighbours_against=near.against_N,
    )
    return rows.sort_values("rank")
