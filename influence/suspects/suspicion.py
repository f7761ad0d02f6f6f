"""The rows of the suspects table: each training label's suspicion, the label it should have, and all that was found out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from influence.opinion_files import Heard
from influence.opinions import Gathered, suspicion, who_says
from influence.suspects.signals import Neighbours, Opposition
from influence.types import FloatArray, IntArray

FORMULA = 4  # to be raised when the same signals come to another judgement, so that stored ones are computed anew


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was found out about N training examples, on arrays in order of position."""

    names: list[str]  # of the labels
    labels_N: IntArray  # as given
    gathered: Gathered
    self_influence_N: FloatArray
    opposition: Opposition
    neighbours: Neighbours
    tie_ranks_N: IntArray


def ranks(suspicion_N: FloatArray, tie_ranks_N: Sequence[int] | IntArray) -> IntArray:
    """Place of every example by suspicion, 1 the most suspicious; ties in order of `tie_ranks_N`."""
    places_N = np.empty(len(suspicion_N), dtype=np.int64)
    places_N[np.lexsort((np.asarray(tie_ranks_N), -suspicion_N))] = np.arange(1, len(suspicion_N) + 1)
    return places_N


def suggestions(probabilities_NY: FloatArray, labels_N: IntArray) -> IntArray:
    """The label that the average of the opinions finds most probable, shape (N,); the given one where it is among the first."""
    rows_N = np.arange(len(labels_N))
    given_first_N = probabilities_NY[rows_N, labels_N] >= probabilities_NY.max(axis=1)
    return np.where(given_first_N, labels_N, probabilities_NY.argmax(axis=1))


def suspect_rows(findings: Findings, examples: pd.DataFrame, errors: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """The table `suspects`, the most suspicious example first.

    `examples` are the training examples in order of position, `errors` the rows of `driven_errors`, `tests` those of
    `opposed_tests`.
    """
    positions = np.arange(len(examples))
    opposed = tests.set_index("position").reindex(positions)
    near, gathered, labels_N = findings.neighbours, findings.gathered, findings.labels_N
    average_NY = gathered.average.probabilities_NY
    suspicion_N, suggested_N = suspicion(average_NY, labels_N), suggestions(average_NY, labels_N)
    spoke_N, votes_N = who_says(gathered.opinions, gathered.voices, suggested_N)
    given_N = who_says(gathered.opinions, gathered.voices, labels_N)[1]
    rows = examples.assign(
        rank=ranks(suspicion_N, findings.tie_ranks_N),
        suggested_label=np.array(findings.names, dtype=object)[suggested_N],
        suspicion=suspicion_N,
        confidence=average_NY[positions, labels_N],
        contradicted_share=(spoke_N - given_N) / spoke_N,
        self_influence=findings.self_influence_N,
        misclassified_share=gathered.missed_N / np.maximum(gathered.trained_N, 1),
        margin=gathered.margin_N,
        held_out_confidence=gathered.held_out_confidence_N,
        opposition=findings.opposition.against_N,
        opposed_tests=opposed["tests"].fillna(0).astype(np.int32).to_numpy(),
        driven_errors=np.bincount(errors["position"], minlength=len(examples)),
        neighbour_disagreement=near.disagreement_N,
        opinions=spoke_N,
        votes=votes_N,
        trained=gathered.trained_N,
        missed=gathered.missed_N,
        opposed_word=opposed["word"].to_numpy(),
        neighbours=near.count_N,
        neighbours_against=near.against_N,
    )
    return rows.sort_values("rank")


def said_rows(all_heard: Sequence[Heard], names: Sequence[str]) -> pd.DataFrame:
    """The table `said`: what each name of a file says of an example; the probability is null for a label without one."""
    parts = [
        pd.DataFrame(
            {
                "position": heard.positions_S,
                "name": heard.name,
                "label": np.array(names, dtype=object)[heard.said_S],
                "probability": heard.probabilities_SY[np.arange(len(heard.said_S)), heard.said_S],
            }
        )
        for heard in all_heard
    ]
    columns = ["position", "name", "label", "probability"]
    return pd.concat(parts).sort_values(["position", "name"]) if parts else pd.DataFrame(columns=columns)
