"""Hardly any data: a handful of rows, texts without words or all the same, labels that occur once. Every number stays one."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from influence.opinions.average import average, balanced, evened, suspicion, test_split_balance as balance_of, without_doubted
from influence.opinions.epochs import epoch_weights, over_epochs
from influence.opinions.held_out import fold_of
from influence.opinions.linear import left_out_probabilities
from influence.opinions.nearest import nearest, votes
from influence.opinions.opinion import Opinion, Taught, accuracy, shares
from influence.opinions.words import naive_bayes, tfidf

TEXTS = st.lists(
    st.sampled_from(["good film", "bad film", "film", "good", "!!", "a", "good good film", ""]), min_size=2, max_size=6
)


def opinions_of(texts: list[str], taught: Taught, copies_N: np.ndarray) -> list[Opinion]:
    labels_N, found = taught.labels_N, []
    folds_N = fold_of(copies_N, labels_N, 5, np.random.default_rng(0))
    embedded = np.stack([[len(text) + 1.0, text.count("o") - 1.0] for text in texts])
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    features = {"embeddings": embedded, "words": (words := tfidf(texts)) and words[1]}
    for name, rows in features.items():
        if rows is None:
            continue
        found.append((f"{name} logistic", left_out_probabilities(rows, taught, 3, folds_N, 0.5)))
        found.append((f"{name} nearest", votes(nearest(rows, copies_N), taught, 3)))
    if features["words"] is not None:
        found.append(("bayes", naive_bayes(features["words"], taught, 3, copies_N)))
    return [Opinion(name, said_NY, accuracy(said_NY, labels_N), 0.0) for name, said_NY in found]


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.data())
def test_suspicions_of_hardly_any_data_are_numbers(texts: list[str], data: st.DataObject) -> None:
    n = len(texts)
    labels_N = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    weights_N = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 3.0]), min_size=n, max_size=n)))
    tests_M = np.array(data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=3)))
    copies_N = np.array([texts.index(text) for text in texts])
    taught = Taught(labels_N, weights_N)
    with warnings.catch_warnings(), np.errstate(invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        for scale in (lambda p: evened(shares(p), labels_N), lambda p: balanced(shares(p), balance_of(tests_M, 3))):
            made = opinions_of(texts, taught, copies_N)
            said = [Opinion(o.name, scale(o.probabilities_NY), o.accuracy, 0.0) for o in made]
            for one in said:
                assert np.allclose(one.probabilities_NY.sum(axis=1), 1), one.name
            suspicion_N = suspicion(average(said, 0.5).probabilities_NY, labels_N)
            assert ((suspicion_N >= 0) & (suspicion_N <= 1)).all()
            again = without_doubted(taught, suspicion_N)
            assert np.isfinite(again.weights_N).all()


def test_a_model_that_says_no_numbers_says_nothing() -> None:
    """Training that diverged: its probabilities are none, and it must not make all others none."""
    lost_NY = np.full((4, 2), np.nan)
    labels_N = np.array([0, 1, 0, 1])
    assert shares(lost_NY).tolist() == [[0.5, 0.5]] * 4
    assert shares(np.array([[np.inf, 1.0]])).tolist() == [[0.5, 0.5]]
    assert accuracy(lost_NY[:0], labels_N[:0]) == 0.0
    weights_E = epoch_weights(np.array([accuracy(lost_NY, labels_N)] * 2), 0.5)
    said = over_epochs([lost_NY, np.array([[0.9, 0.1]] * 4)], weights_E, labels_N)
    assert said.mean_NY == pytest.approx(np.array([[0.7, 0.3]] * 4), abs=1e-4)
    assert np.isfinite(said.margin_N).all()
