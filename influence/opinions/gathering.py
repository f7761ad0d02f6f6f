"""Making every opinion on a build's training labels, and their average.

    material = Material(workspace, OpinionSettings(), device, progress)
    found = gather(material, Taught.as_given(material.labels("train")))

Axes: N training examples, M test examples, E epochs, Y labels.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influence.opinion_files import Heard
from influence.opinions.average import (
    Average,
    Voice,
    average,
    balanced,
    evened,
    suspicion,
    test_split_balance,
    voiced,
    without_doubted,
)
from influence.opinions.epochs import epoch_weights, over_epochs
from influence.opinions.held_out import held_out_models
from influence.opinions.linear import fitted_probabilities, left_out_probabilities
from influence.opinions.material import Material
from influence.opinions.nearest import votes
from influence.opinions.opinion import Opinion, Taught, accuracy, shares
from influence.opinions.words import naive_bayes
from influence.types import FloatArray, IntArray, StageKind

STRENGTH = 0.5  # of logistic regression on embeddings (scikit-learn's C): wrong labels are the less learnt, the weaker it is
WORD_STRENGTH = 3.0  # of logistic regression on tf-idf
LOOKS = 2  # opinions are made so often
NEARLY_ALL = 0.9  # of the examples: who gives probabilities of so many can be held against how often each label occurs
OWN_MODEL, HELD_OUT, TEST_SPLIT = "own model", "held-out models", "checked test labels"


@dataclass(frozen=True)
class Gathered:
    """All opinions, their average, and what was seen on the way of how the examples were learnt."""

    opinions: list[Opinion]
    voices: list[Voice]  # of names of files, each about the examples that it speaks of
    average: Average
    held_out_confidence_N: FloatArray  # that held-out models of the workspace's recipe give to the label; NaN without them
    missed_N: IntArray  # after how many epochs of models that had the example another label was the most probable
    trained_N: IntArray  # how many epochs those are
    margin_N: FloatArray  # area under the margin of the workspace's own model, in logits


def gather(material: Material, taught: Taught) -> Gathered:
    """Every opinion that there is material for; opinions are scaled to the balance of the test split where that is used.

    They are made twice, the second time without learning from the labels that the first time looked wrong, for what is
    taught falsely and often is believed. The labels that count for accuracy are those taught, given ones where nobody has
    decided.
    """
    given_N = material.labels("train")
    _ = material.embedded  # what takes longest comes first, and reports by itself
    guess = np.bincount(taught.labels_N).max() / len(taught.labels_N)
    models = _models(material, given_N)
    untaught = [replace(o, probabilities_NY=_scaled(material, taught, o.probabilities_NY)) for o in models.opinions]
    if material.settings.test_labels_checked:
        untaught = _made(material, taught, TEST_SPLIT, lambda: _from_test_split(material)) + untaught
    heard = [_as_scaled(material, taught, one) for one in material.heard]
    first = _look(material, taught, 0)
    voices = voiced(heard, first + untaught, taught, guess)
    doubted_N = suspicion(average(first + untaught, guess, voices).probabilities_NY, given_N)
    second = _look(material, without_doubted(taught, doubted_N), 1)
    learnt = [replace(o, seconds=round(o.seconds + before.seconds, 2)) for before, o in zip(first, second, strict=True)]
    opinions = learnt + untaught
    voices = voiced(heard, opinions, taught, guess)
    return Gathered(
        opinions,
        voices,
        average(opinions, guess, voices),
        models.held_out_confidence_N,
        models.missed_N,
        models.trained_N,
        models.margin_N,
    )


def _look(material: Material, taught: Taught, look: int) -> list[Opinion]:
    """The opinions that learn from the labels, taught these."""
    opinions: list[Opinion] = []
    makers = _makers(material, taught)
    for number, (name, make) in enumerate(makers.items(), start=look * len(makers)):
        material.progress(StageKind.OPINIONS, number, LOOKS * len(makers))
        opinions += _made(material, taught, name, make)
    material.progress(StageKind.OPINIONS, (look + 1) * len(makers), LOOKS * len(makers))
    return opinions


def _made(material: Material, taught: Taught, name: str, make: Callable[[], FloatArray | None]) -> list[Opinion]:
    """One opinion, scaled and timed; none where it has nothing to go by."""
    started = time.monotonic()
    probabilities_NY = make()
    if probabilities_NY is None:
        return []
    said_NY = _scaled(material, taught, probabilities_NY)
    return [Opinion(name, said_NY, accuracy(said_NY, taught.labels_N), round(time.monotonic() - started, 2))]


def _scaled(material: Material, taught: Taught, probabilities_NY: FloatArray) -> FloatArray:
    if material.settings.use_test_balance:
        return balanced(shares(probabilities_NY), test_split_balance(material.labels("test"), material.n_labels))
    return evened(shares(probabilities_NY), taught.labels_N)


def _as_scaled(material: Material, taught: Taught, heard: Heard) -> Heard:
    """What a name says, like other models' opinions where it gives nearly every example probabilities; else as it is."""
    given_S = ~np.isnan(heard.probabilities_SY).any(axis=1)
    if given_S.sum() < NEARLY_ALL * len(taught.labels_N):
        return heard
    probabilities_SY = heard.probabilities_SY.copy()
    of_these = Taught(taught.labels_N[heard.positions_S[given_S]], np.ones(int(given_S.sum())))
    probabilities_SY[given_S] = _scaled(material, of_these, probabilities_SY[given_S])
    return replace(heard, probabilities_SY=probabilities_SY)  # the label that it says is what it said


def _makers(material: Material, taught: Taught) -> dict[str, Callable[[], FloatArray | None]]:
    """The opinions that learn from the labels, by name; each gives None where it has nothing to go by."""
    n_labels = material.n_labels

    def logistic() -> FloatArray | None:
        if material.embedded is None:
            return None
        return left_out_probabilities(material.embedded["train"], taught, n_labels, material.folds_N, STRENGTH)

    def neighbours() -> FloatArray | None:
        near_NK = material.nearest_by_embedding_NK
        return None if near_NK is None else votes(near_NK, taught, n_labels)

    def bayes() -> FloatArray | None:
        return None if material.words_NV is None else naive_bayes(material.words_NV, taught, n_labels, material.copies_N)

    def word_neighbours() -> FloatArray | None:
        near_NK = material.nearest_by_words_NK
        return None if near_NK is None else votes(near_NK, taught, n_labels)

    return {
        "embeddings, logistic regression": logistic,
        "embeddings, nearest neighbours": neighbours,
        "words, naive Bayes": bayes,
        "words, nearest neighbours": word_neighbours,
    }


def _from_test_split(material: Material) -> FloatArray | None:
    """What a logistic regression trained on the test split says of the training examples."""
    labels_M = material.labels("test")
    if material.embedded is None:
        train: Any = material.words_NV
        test: Any = material.words_MV
        strength = WORD_STRENGTH
    else:
        train, test, strength = material.embedded["train"], material.embedded["test"], STRENGTH
    if train is None:
        return None
    return fitted_probabilities(test, labels_M, np.ones(len(labels_M)), train, material.n_labels, strength)


@dataclass(frozen=True)
class _Models:
    opinions: list[Opinion]
    held_out_confidence_N: FloatArray
    missed_N: IntArray
    trained_N: IntArray
    margin_N: FloatArray


def _models(material: Material, labels_N: IntArray) -> _Models:
    """The opinion of the workspace's own model, and that of the held-out ones, if there are any."""
    workspace, labels_M = material.workspace, material.labels("test")
    epochs = range(len(workspace.info.epochs))
    right_E = np.array([accuracy(workspace.probabilities("test", epoch), labels_M) for epoch in epochs])
    weights_E = epoch_weights(right_E, np.bincount(labels_M).max() / len(labels_M))
    own = over_epochs((workspace.probabilities("train", epoch) for epoch in epochs), weights_E, labels_N)
    # It was trained on these labels, so how often it agrees with them says nothing; on the test split it says something.
    opinions = [Opinion(OWN_MODEL, own.mean_NY, float(weights_E @ right_E), 0.0)]
    missed_N, trained_N = own.missed_N, np.full(len(labels_N), len(epochs), dtype=np.int32)
    confidence_N = np.full(len(labels_N), np.nan)
    if material.settings.held_out.models:
        sums_NY, counts_N = np.zeros((len(labels_N), material.n_labels)), np.zeros(len(labels_N))
        guess = np.bincount(labels_N).max() / len(labels_N)
        for probabilities_ENY, _, out_N in held_out_models(workspace.build, labels_N, material.settings.held_out):
            right_E = np.array([accuracy(p[out_N], labels_N[out_N]) for p in probabilities_ENY])
            said = over_epochs(probabilities_ENY, epoch_weights(right_E, guess), labels_N)
            sums_NY[out_N] += said.mean_NY[out_N]
            counts_N += out_N
            missed_N = missed_N + np.where(out_N, 0, said.missed_N)
            trained_N = trained_N + np.where(out_N, 0, len(probabilities_ENY)).astype(np.int32)
        mean_NY = sums_NY / counts_N[:, None]
        confidence_N = mean_NY[np.arange(len(labels_N)), labels_N]
        opinions.append(Opinion(HELD_OUT, mean_NY, accuracy(mean_NY, labels_N), 0.0))
    return _Models(opinions, confidence_N, missed_N, trained_N, own.margin_N)


def baseline_accuracy(material: Material) -> float:
    """Test accuracy, 0 to 1, of the model that costs nothing: logistic regression on tf-idf; NaN where there are no words.

    A fine-tuned model that it beats is not worth explaining.
    """
    if material.words_NV is None:
        return float("nan")
    labels_N = material.labels("train")
    said_MY = fitted_probabilities(
        material.words_NV, labels_N, np.ones(len(labels_N)), material.words_MV, material.n_labels, WORD_STRENGTH
    )
    return accuracy(said_MY, material.labels("test"))
