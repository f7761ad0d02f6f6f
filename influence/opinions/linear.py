"""Logistic regression by cross-validation: each part of the examples is judged by a model trained on the others."""

import warnings
from typing import Any

import numpy as np

from influence.opinions.opinion import Taught, shares
from influence.types import FloatArray, IntArray

STEPS = 300  # of L-BFGS, far more than are needed at these strengths


def left_out_probabilities(features: Any, taught: Taught, n_labels: int, folds_N: IntArray, strength: float) -> FloatArray:
    """Probability of every label from a model that saw nothing of the example's part, shape (N, Y).

    `features` is a dense or sparse matrix of N rows; `strength` is the inverse of the L2 penalty (scikit-learn's C).
    """
    probabilities_NY = np.zeros((len(taught.labels_N), n_labels))
    for fold in np.unique(folds_N):
        seen_N, asked_N = (folds_N != fold) & (taught.weights_N > 0), folds_N == fold
        probabilities_NY[asked_N] = fitted_probabilities(
            features[seen_N], taught.labels_N[seen_N], taught.weights_N[seen_N], features[asked_N], n_labels, strength
        )
    return shares(probabilities_NY)


def fitted_probabilities(
    features: Any, labels_T: IntArray, weights_T: FloatArray, asked: Any, n_labels: int, strength: float
) -> FloatArray:
    """Probability of every label for the rows `asked`, from a model fitted to the rows `features`; equal for nothing to fit.

    A label that is not among `labels_T` has probability 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    probabilities_AY = np.zeros((asked.shape[0], n_labels))
    known = np.unique(labels_T)
    if len(known) < 2:
        probabilities_AY[:, known if len(known) else slice(None)] = 1
        return shares(probabilities_AY)
    # The products of a step are too small to share: with two threads they wait for each other, at ten times the CPU seconds.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a little short of the optimum is no other opinion
        model = LogisticRegression(C=strength, max_iter=STEPS).fit(features, labels_T, sample_weight=weights_T)
    probabilities_AY[:, model.classes_] = model.predict_proba(asked)
    return probabilities_AY
