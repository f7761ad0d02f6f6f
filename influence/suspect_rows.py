"""The rows of the suspects table: every training example with its signals and the reason in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from influence.encoding import FloatArray, IntArray
from influence.modelsignals import Opinions
from influence.suspicion import Facts, Judgement, ranks, reason
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
    rows = examples.assign(
        rank=ranks(findings.judgement.suspicion_N, findings.tie_ranks_N),
        suggested_label=np.array(findings.names, dtype=object)[findings.judgement.suggested_N],
        suspicion=findings.judgement.suspicion_N,
        self_influence=findings.self_influence_N,
        misclassified_share=findings.opinions.misclassified_share_N(),
        held_out_confidence=findings.held_out_confidence_N,
        opposition=findings.opposition.against_N,
        opposed_tests=opposed["tests"].fillna(0).astype(np.int32).to_numpy(),
        driven_errors=np.bincount(errors["position"], minlength=len(examples)),
        neighbour_disagreement=findings.neighbours.disagreement_N,
    )
    return rows.assign(reason=_reasons(findings, rows, opposed["word"].tolist())).sort_values("rank")


def _reasons(findings: Findings, rows: pd.DataFrame, opposed_words: list[str | None]) -> list[str]:
    opinions, near = findings.opinions, findings.neighbours
    suggested_N = findings.judgement.suggested_N
    votes_N = opinions.votes_NY[np.arange(len(rows)), suggested_N]
    columns: dict[str, Any] = {
        "label": rows["label"],
        "suggested": rows["suggested_label"],
        "held_out": opinions.held_out_N,
        "votes": votes_N,
        "trained": opinions.trained_N,
        "missed": opinions.missed_N,
        "opposed": rows["opposed_tests"],
        "opposed_word": pd.Series(opposed_words, dtype=object).where(pd.notna, None),
        "driven": rows["driven_errors"],
        "neighbours": near.count_N,
        "neighbours_against": near.against_N,
        "disagreement": near.disagreement_N,
    }
    lists = {name: np.asarray(column).tolist() for name, column in columns.items()}
    return [reason(Facts(**dict(zip(lists, values, strict=True)))) for values in zip(*lists.values(), strict=True)]
