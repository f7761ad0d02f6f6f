"""Texts as the words that are in them: tf-idf, and naive Bayes on it, which heeds wrong labels less than a fitted model does.

Axes: N training examples, V words, Y labels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from influence.data import COUNTED_WORD
from influence.opinions.average import average, evened
from influence.opinions.nearest import nearest, votes
from influence.opinions.opinion import Opinion, Taught, accuracy, shares
from influence.types import FloatArray, IntArray, Progress, silent

SMOOTHING = 0.1  # added to every word's count
BETWEEN = " \x1f "  # the texts of a pair; no word


def joined(texts: Sequence[str], pairs: Sequence[str | None] | None) -> list[str]:
    """One text an example."""
    if pairs is None:
        return list(texts)
    return [f"{text}{BETWEEN}{pair}" for text, pair in zip(texts, pairs, strict=True)]


def tfidf(texts: Sequence[str]) -> tuple[Any, Any] | None:
    """The vectorizer, and the tf-idf of every text as a sparse matrix (N, V), rows of length 1; None where there are no words.

    Words that are in one text only tell it apart from all others, so they are left out where anything else is left.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    for least in (2, 1):
        vectorizer = TfidfVectorizer(token_pattern=COUNTED_WORD, sublinear_tf=True, min_df=least, dtype=np.float32)
        try:
            return vectorizer, vectorizer.fit_transform(texts).tocsr()
        except ValueError:  # an empty vocabulary
            continue
    return None


def naive_bayes(weights_NV: Any, taught: Taught, n_labels: int, copies_N: IntArray) -> FloatArray:
    """Multinomial naive Bayes on tf-idf weights, each example judged by the sums over all others, shape (N, Y).

    Taking an example, and the copies of its text, out of the sums is exact and needs no folds.
    """
    from scipy.sparse import csr_matrix

    n = len(taught.labels_N)
    taught_YN = csr_matrix((taught.weights_N, (taught.labels_N, np.arange(n))), shape=(n_labels, n))
    counts_YV = np.asarray((taught_YN @ weights_NV).todense()) + SMOOTHING
    examples_Y = np.asarray(taught_YN.sum(axis=1)).ravel()
    logs_NY = weights_NV @ np.log(counts_YV).T
    totals_Y = counts_YV.sum(axis=1)
    # An example's words count for its own label alone, so only that column changes when it is left out.
    own_NC = _copies_by_label(taught, copies_N, n_labels)
    lengths_N = np.asarray(weights_NV.sum(axis=1)).ravel()
    scores_NY = logs_NY - lengths_N[:, None] * np.log(totals_Y) + np.log(np.maximum(examples_Y, 1e-9))
    rows, labels = np.nonzero(own_NC)
    for start in range(0, len(rows), 4_096):
        at, label = rows[start : start + 4_096], labels[start : start + 4_096]
        own = own_NC[at, label]
        scores_NY[at, label] = _without(weights_NV[at], counts_YV, totals_Y, examples_Y, label, own)
    scores_NY -= scores_NY.max(axis=1, keepdims=True)
    return shares(np.exp(scores_NY))


def said_by_words(texts: Sequence[str], labels_N: IntArray, n_labels: int, progress: Progress = silent) -> FloatArray | None:
    """Probability of every label from the words alone, where nothing has been built, shape (N, Y); None without words.

    The average of naive Bayes and of the nearest texts by tf-idf, neither of which saw the example's own label or that of a
    copy of its text. One look: where few labels are wrong, leaving the doubted ones out of a second made it worse.
    """
    found = tfidf(texts)
    if found is None:
        return None
    _, copies_N = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
    taught = Taught.as_given(labels_N)
    made = {
        "naive Bayes": naive_bayes(found[1], taught, n_labels, copies_N),
        "nearest neighbours": votes(nearest(found[1], copies_N, progress), taught, n_labels),
    }
    evened_NY = [(name, evened(shares(said_NY), labels_N)) for name, said_NY in made.items()]
    opinions = [Opinion(name, said_NY, accuracy(said_NY, labels_N), 0.0) for name, said_NY in evened_NY]
    return average(opinions, float(np.bincount(labels_N).max() / len(labels_N))).probabilities_NY


def _copies_by_label(taught: Taught, copies_N: IntArray, n_labels: int) -> FloatArray:
    """How much the copies of each example's text, itself included, weigh in each label's sums, shape (N, Y)."""
    _, group_N = np.unique(copies_N, return_inverse=True)
    flat = np.bincount(group_N * n_labels + taught.labels_N, weights=taught.weights_N, minlength=(group_N.max() + 1) * n_labels)
    return np.asarray(flat.reshape(-1, n_labels)[group_N], dtype=np.float64)


def _without(
    weights_BV: Any, counts_YV: FloatArray, totals_Y: FloatArray, examples_Y: FloatArray, labels_B: IntArray, own_B: FloatArray
) -> FloatArray:
    """The scores of one label a row, that row's own words and those of its copies taken out of the label's sums."""
    rows = np.repeat(np.arange(weights_BV.shape[0]), np.diff(weights_BV.indptr))
    values = weights_BV.data.astype(np.float64)
    left = np.maximum(counts_YV[labels_B[rows], weights_BV.indices] - own_B[rows] * values, SMOOTHING)
    logs_B = np.bincount(rows, weights=values * np.log(left), minlength=len(labels_B))
    lengths_B = np.bincount(rows, weights=values, minlength=len(labels_B))
    totals_B = totals_Y[labels_B] - own_B * lengths_B
    prior_B = np.log(np.maximum(examples_Y[labels_B] - own_B, 1e-9))
    return np.asarray(logs_B - lengths_B * np.log(totals_B) + prior_B, dtype=np.float64)
