"""The rows of the suspects table: every training example with its signals and the facts that its reason is made of."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from influence.encoding import FloatArray, IntArray
from influence.modelsignals import Opinions
from influence.suspicion import Judgement, ranks
from influence.wordsignals import Neighbours, Opposition


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
