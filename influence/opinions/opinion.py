"""What an opinion is: probabilities of every label for every training example, made without having seen its label.

Opinions differ in what they look at (sentence embeddings, words, the workspace's own model) and so err in different places;
their average errs less than any of them.

Axes: N training examples, Y labels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from influence.types import FloatArray, IntArray


class Taught(NamedTuple):
    """The labels that opinions learn from: the given ones, and in their place those that reviewers have decided on."""

    labels_N: IntArray
    weights_N: FloatArray  # how much each counts: 1 as given, more where somebody has looked, 0 where it is to be removed

    @classmethod
    def as_given(cls, labels_N: IntArray) -> "Taught":
        """Nobody has decided anything."""
        return cls(labels_N, np.ones(len(labels_N)))


@dataclass(frozen=True)
class Opinion:
    """One opinion, and what it cost."""

    name: str
    probabilities_NY: FloatArray  # of every label, summing to 1
    accuracy: float  # how often its most probable label is the given one, 0 to 1
    seconds: float  # to make it; 0 where it lay on disk


def shares(counts_NY: FloatArray, floor: float = 1e-6) -> FloatArray:
    """Rows of non-negative numbers as probabilities: none below about `floor`, so that no label is ruled out; never NaN.

    A row that holds what is no number, as a model whose training diverged gives it, says nothing: all are equal.
    """
    whole_N = np.asarray(np.isfinite(counts_NY).all(axis=1))
    floored_NY = np.maximum(np.where(whole_N[:, None], counts_NY, 1.0), floor)
    shares_NY: FloatArray = floored_NY / floored_NY.sum(axis=1, keepdims=True)
    return shares_NY


def accuracy(probabilities_NY: FloatArray, labels_N: IntArray) -> float:
    """How often the most probable label is the given one, 0 to 1; 0 for no example."""
    return 0.0 if not len(labels_N) else float((probabilities_NY.argmax(axis=1) == labels_N).mean())
