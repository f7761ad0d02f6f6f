"""Each opinion against a slow loop or scikit-learn on the others, the balance and the average by hand."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from influence.opinion_files.matched import Heard
from influence.opinions import average as averaging
from influence.opinions.average import (
    CLEAR,
    LOOKED,
    Voice,
    average,
    balanced,
    evened,
    suspicion,
    usual_confidence,
    voiced,
    who_says,
)
from influence.opinions.epochs import over_epochs
from influence.opinions.linear import fitted_probabilities, left_out_probabilities
from influence.opinions.nearest import NEIGHBOURS, nearest, votes
from influence.opinions.opinion import Opinion, Taught, shares
from influence.opinions.words import SMOOTHING, joined, naive_bayes, tfidf

Y = 3
WORDS = ("good", "bad", "plot", "film", "actor", "scene", "story", "music", "dull", "fine")


def some(seed: int, n: int = 60) -> tuple[list[str], Taught, np.ndarray]:
    """Texts, some of them copies, labels with weights (0, 1 and 3), and for each the first copy of its text."""
    generator = np.random.default_rng(seed)
    texts = [" ".join(generator.choice(WORDS, size=int(generator.integers(2, 7)))) for _ in range(n)]
    texts[7], texts[8], texts[20] = texts[3], texts[3], texts[11]
    first: dict[str, int] = {}
    copies_N = np.array([first.setdefault(text, position) for position, text in enumerate(texts)])
    taught = Taught(generator.integers(Y, size=n), generator.choice([0.0, 1.0, 3.0], p=[0.1, 0.7, 0.2], size=n))
    return texts, taught, copies_N


def embedded(seed: int, n: int = 60) -> np.ndarray:
    rows_ND = np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)
    return np.asarray(rows_ND / np.linalg.norm(rows_ND, axis=1, keepdims=True))


def test_naive_bayes_is_scikit_learns_fitted_to_all_other_texts() -> None:
    texts, taught, copies_N = some(1)
    found = tfidf(texts)
    assert found is not None
    weights_NV = found[1]
    said_NY = naive_bayes(weights_NV, taught, Y, copies_N)
    for one in range(len(texts)):
        others = copies_N != copies_N[one]
        model = MultinomialNB(alpha=SMOOTHING)
        model.fit(weights_NV[others], taught.labels_N[others], sample_weight=taught.weights_N[others])
        np.testing.assert_allclose(said_NY[one], model.predict_proba(weights_NV[[one]])[0], atol=2e-5)


def test_neighbours_are_the_most_similar_and_copies_are_none() -> None:
    texts, taught, copies_N = some(2, n=90)
    dense_ND, sparse = embedded(2, n=90), tfidf(texts)
    assert sparse is not None
    for features in (dense_ND, sparse[1]):
        found_NK = nearest(features, copies_N)
        similar_NN = np.asarray((features @ features.T).todense()) if features is sparse[1] else features @ features.T
        for one, row_K in enumerate(found_NK):
            others = [other for other in range(90) if copies_N[other] != copies_N[one]]
            expected = sorted(similar_NN[one, others], reverse=True)[:NEIGHBOURS]
            np.testing.assert_allclose(sorted(similar_NN[one, row_K], reverse=True), expected, rtol=1e-6)
            assert set(row_K.tolist()) <= set(others)
        said_NY = votes(found_NK, taught, Y)
        for one, row_K in enumerate(found_NK):
            cast = [sum(taught.weights_N[k] for k in row_K if taught.labels_N[k] == label) for label in range(Y)]
            rest = [sum(taught.weights_N[k] for k in range(90) if k != one and taught.labels_N[k] == label) for label in range(Y)]
            total = np.array(cast) + np.array(rest) / sum(rest)
            np.testing.assert_allclose(said_NY[one], total / total.sum(), rtol=1e-5, atol=1e-6)


def test_where_all_texts_are_one_nobody_has_neighbours() -> None:
    found_NK = nearest(np.ones((5, 1), dtype=np.float32), np.zeros(5, dtype=np.int64))
    assert (found_NK == -1).all()
    taught = Taught.as_given(np.array([0, 0, 0, 1, 1]))
    np.testing.assert_allclose(votes(found_NK, taught, 2), [[0.5, 0.5]] * 3 + [[0.75, 0.25]] * 2)


def test_logistic_regression_is_fitted_to_the_other_parts_by_the_weights() -> None:
    _, taught, _ = some(3)
    features_ND, folds_N = embedded(3), np.arange(60) % 4
    said_NY = left_out_probabilities(features_ND, taught, Y, folds_N, 0.5)
    for fold in range(4):
        seen = (folds_N != fold) & (taught.weights_N > 0)
        model = LogisticRegression(C=0.5, max_iter=300)
        model.fit(features_ND[seen], taught.labels_N[seen], sample_weight=taught.weights_N[seen])
        np.testing.assert_allclose(said_NY[folds_N == fold], model.predict_proba(features_ND[folds_N == fold]), rtol=1e-4)


@pytest.mark.parametrize(("labels", "expected"), [([1, 1], [0, 1, 0]), ([], [1 / 3, 1 / 3, 1 / 3])])
def test_with_one_label_or_none_there_is_nothing_to_fit(labels: list[int], expected: list[float]) -> None:
    rows = embedded(4)[: len(labels)]
    said_AY = fitted_probabilities(rows, np.array(labels, dtype=int), np.ones(len(labels)), embedded(5)[:2], Y, 1.0)
    np.testing.assert_allclose(said_AY, [expected, expected], atol=1e-5)


@given(st.integers(0, 59), st.integers(0, 50))
def test_no_opinion_depends_on_the_examples_own_label(one: int, seed: int) -> None:
    """Nor on those of the copies of its text, nor on what somebody decided about it."""
    texts, taught, copies_N = some(seed)
    found = tfidf(texts)
    assert found is not None
    folds_N = copies_N % 3  # copies together
    same = np.flatnonzero(copies_N == copies_N[one])
    labels_N, weights_N = taught.labels_N.copy(), taught.weights_N.copy()
    labels_N[one], weights_N[one] = (labels_N[one] + 1) % Y, 3.0
    turned = Taught(labels_N, weights_N)

    def said(by: Taught) -> list[np.ndarray]:
        return [
            naive_bayes(found[1], by, Y, copies_N)[same],
            votes(nearest(found[1], copies_N), by, Y)[one],
            left_out_probabilities(embedded(seed), by, Y, folds_N, 0.5)[same],
        ]

    for before, after in zip(said(taught), said(turned), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-6)


def test_words_are_words_in_any_script_and_a_text_without_any_is_none() -> None:
    found = tfidf(["我喜欢 电影", "喜欢 the Film", "the plot"])
    assert found is not None
    assert set(found[0].get_feature_names_out()) == {"喜", "欢", "the"}  # others are in one text only
    alone = tfidf(["one text", "another"])
    assert alone is not None
    assert set(alone[0].get_feature_names_out()) == {"one", "text", "another"}
    assert tfidf(["!!!", "?"]) is None
    assert joined(["a"], ["b"]) == ["a \x1f b"]
    assert joined(["a"], None) == ["a"]


def test_epochs_summed_up_by_hand() -> None:
    """Two epochs, three examples, two labels; a tie goes to the first label."""
    probabilities_ENY = np.array([[[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]], [[0.7, 0.3], [0.2, 0.8], [1.0, 0.0]]])
    found = over_epochs(probabilities_ENY, np.array([0.25, 0.75]), np.array([0, 1, 0]))
    np.testing.assert_allclose(found.mean_NY, [[0.75, 0.25], [0.275, 0.725], [0.85, 0.15]])
    assert found.missed_N.tolist() == [0, 1, 1]
    np.testing.assert_allclose(found.margin_N[:2], [(np.log(9) + np.log(7 / 3)) / 2, (0 + np.log(4)) / 2])
    assert np.isfinite(found.margin_N).all()


# The balance and the average ---------------------------------------------------------------------------------------


@given(st.integers(2, 6), st.integers(0, 500))
def test_balanced_probabilities_have_the_balance_and_keep_every_ratio_of_odds(labels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    raw_NY = shares(generator.dirichlet(np.full(labels, 0.5), size=80))
    balance_Y = generator.dirichlet(np.full(labels, 5.0))
    found_NY = balanced(raw_NY, balance_Y)
    np.testing.assert_allclose(found_NY.sum(axis=1), 1)
    np.testing.assert_allclose(found_NY.mean(axis=0), balance_Y, atol=1e-3)
    odds = np.log(found_NY[:, 1:] / found_NY[:, :1]) - np.log(raw_NY[:, 1:] / raw_NY[:, :1])
    np.testing.assert_allclose(odds, np.broadcast_to(odds[0], odds.shape), atol=1e-6)


def test_the_balance_of_a_test_split_leaves_no_label_out() -> None:
    np.testing.assert_allclose(averaging.test_split_balance(np.array([0, 0, 1]), 3), [3 / 6, 2 / 6, 1 / 6])


def test_without_a_balance_each_label_counts_by_the_root_of_what_is_usual() -> None:
    said_NY = np.array([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    np.testing.assert_allclose(usual_confidence(said_NY, np.array([0, 0, 1])), [0.7, 0.3])
    np.testing.assert_allclose(usual_confidence(said_NY, np.array([0, 0, 0])), [0.7, 1])  # a label that is never given
    left, right = 0.8 / np.sqrt(0.7), 0.2 / np.sqrt(0.3)
    np.testing.assert_allclose(evened(said_NY, np.array([0, 0, 1]))[0], [left / (left + right), right / (left + right)])


def test_opinions_count_by_what_they_know_beyond_a_guess() -> None:
    one = Opinion("one", np.array([[0.9, 0.1], [0.2, 0.8]]), 0.8, 0.0)
    two = Opinion("two", np.array([[0.5, 0.5], [0.4, 0.6]]), 0.6, 0.0)
    found = average([one, two], 0.5)
    assert found.weights == {"one": 0.9, "two": 0.1}  # 0.3 and 0.1 beyond a guess, squared
    np.testing.assert_allclose(found.probabilities_NY, [[0.86, 0.14], [0.22, 0.78]])
    assert average([one, two], 0.9).weights == {"one": 0.5, "two": 0.5}  # neither knows anything
    spoke_N, for_N = who_says([one, two], [], np.array([1, 1]))
    assert (spoke_N.tolist(), for_N.tolist()) == ([2, 2], [0, 2])


def heard_of(name: str, said: dict[int, int | list[float]], labels: int) -> Heard:
    """What a name says by position: a label, or probabilities."""
    rows = [[np.nan] * labels if isinstance(one, int) else one for one in said.values()]
    labels_S = [one if isinstance(one, int) else int(np.argmax(one)) for one in said.values()]
    return Heard(name, "file", "", np.array(list(said)), np.array(labels_S), np.array(rows, dtype=float).reshape(-1, labels))


def test_who_speaks_of_a_part_counts_there() -> None:
    """By hand: one opinion of weight 0.25, a voice of weight 0.09 on the second of two examples."""
    one = Opinion("one", np.array([[0.9, 0.1], [0.2, 0.8]]), 1.0, 0.0)
    voice = Voice(heard_of("ann", {1: 0}, 2), np.array([[0.8, 0.2]]), 0.0, 0.8)
    found = average([one], 0.5, [voice])
    np.testing.assert_allclose(found.probabilities_NY[0], [0.9, 0.1])
    np.testing.assert_allclose(found.probabilities_NY[1], [(0.25 * 0.2 + 0.09 * 0.8) / 0.34, (0.25 * 0.8 + 0.09 * 0.2) / 0.34])
    assert found.weights == {"one": 0.7353}
    assert found.voice_weights == {"ann": 0.2647}
    spoke_N, for_N = who_says([one], [voice], np.array([0, 0]))
    assert (spoke_N.tolist(), for_N.tolist()) == ([1, 2], [1, 1])
    np.testing.assert_array_equal(average([one], 0.5, []).probabilities_NY, average([one], 0.5).probabilities_NY)


def clear(sums: np.ndarray, given: int) -> bool:
    """Whether a label has twice the share of any other."""
    return all(sums[given] >= CLEAR * share for label, share in enumerate(sums) if label != given)


def test_a_name_is_believed_as_far_as_it_is_right_where_that_is_known() -> None:
    """Against a slow loop: only examples whose given label all the others find best, or that somebody decided, tell."""
    generator = np.random.default_rng(5)
    n, labels, guess = 60, 3, 0.4
    truth = generator.integers(labels, size=n)
    given_N = np.where(np.arange(n) % 6 == 0, (truth + 1) % labels, truth)
    drawn = [generator.dirichlet(np.ones(labels), n) for _ in range(2)]
    said = [(noise_NY + np.eye(labels)[truth]) / 2 for noise_NY in drawn]
    made = [Opinion(str(k), one_NY, float((one_NY.argmax(axis=1) == given_N).mean()), 0.0) for k, one_NY in enumerate(said)]
    names: dict[str, dict[int, int | list[float]]] = {
        "good": {i: int(truth[i]) for i in range(0, n, 2)},
        "bad": {i: int((truth[i] + 2) % labels) for i in range(10, 40)},
        "few": {3: int(truth[3]), 4: [0.2, 0.5, 0.3]},
        "asked about wrong labels": {i: int(truth[i]) for i in range(0, n, 6)},
    }
    all_heard = [heard_of(name, one, labels) for name, one in names.items()]
    weights_N = np.ones(n)
    weights_N[12] = 3.0
    taught = Taught(np.where(np.arange(n) == 12, names["bad"][12], given_N), weights_N)  # type: ignore[arg-type]
    gains = {opinion.name: (opinion.accuracy - guess) ** 2 for opinion in made}

    def shares_of(name: str, i: int, right: float) -> np.ndarray:
        one = names[name][i]
        sure = max(right, 1 / labels)
        other = (1 - sure) / (labels - 1)
        return np.array(one if isinstance(one, list) else [sure if label == one else other for label in range(labels)])

    def rates(believed: dict[str, float]) -> dict[str, float]:
        right, counts = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for name, sayings in names.items():
            for i, one in sayings.items():
                sums = sum(gains[opinion.name] * opinion.probabilities_NY[i] for opinion in made)
                for other, rate in believed.items():
                    if other != name and i in names[other]:
                        sums = sums + max(rate - guess, 1e-3) ** 2 * shares_of(other, i, rate)
                if i == 12 or clear(sums, taught.labels_N[i]):
                    counts[name] += 1
                    right[name] += int(taught.labels_N[i] == (one if isinstance(one, int) else np.argmax(one)))
        alone = sum(gains[opinion.name] * opinion.probabilities_NY for opinion in made)
        known = [i for i in range(n) if i == 12 or clear(alone[i], taught.labels_N[i])]
        total = sum(gains.values())
        usual = sum(gains[o.name] * o.accuracy for o in made) / total
        agree = {o.name: np.mean([np.argmax(o.probabilities_NY[i]) == taught.labels_N[i] for i in known]) for o in made}
        there = sum(gains[o.name] * agree[o.name] for o in made) / total
        pooled = (sum(right.values()) + LOOKED * there) / (sum(counts.values()) + LOOKED)
        return {name: (right[name] + LOOKED * pooled) / (counts[name] + LOOKED) * usual / there for name in names}

    expected = rates(rates({}))
    found = voiced(all_heard, made, taught, guess)
    assert {voice.heard.name: voice.reliability for voice in found} == pytest.approx(expected)
    assert expected["good"] > expected["asked about wrong labels"] > expected["bad"]
    for voice in found:
        name = voice.heard.name
        for at, i in enumerate(names[name]):
            np.testing.assert_allclose(voice.probabilities_SY[at], shares_of(name, i, expected[name]))
        says = [taught.labels_N[i] == label for i, label in zip(names[name], voice.heard.said_S, strict=True)]
        assert voice.accuracy == np.mean(says)


def test_who_was_asked_about_doubtful_labels_alone_counts_as_the_opinions_do() -> None:
    """The opinions contradict every label that the name spoke of, and it says the given one: nothing tells who is right."""
    given_N = np.zeros(40, dtype=int)
    said_NY = np.full((40, 2), [0.9, 0.1])
    said_NY[:10] = [0.2, 0.8]
    made = [Opinion("words", said_NY, 0.75, 0.0)]
    [voice] = voiced([heard_of("expert", dict.fromkeys(range(10), 0), 2)], made, Taught.as_given(given_N), 0.5)
    assert voice.reliability == pytest.approx(0.75)
    assert average(made, 0.5, [voice]).voice_weights == {"expert": 0.5}


def test_suspicion_by_hand() -> None:
    said_NY = np.array([[1.0, 0.0, 0.0], [0.4, 0.4, 0.2], [0.05, 0.35, 0.6], [0.0, 0.0, 1.0]])
    expected = [0.05 / 1.10, 0.5, 0.65 / 0.75, 1.05 / 1.10]
    np.testing.assert_allclose(suspicion(said_NY, np.array([0, 0, 0, 0])), expected)


@given(st.integers(2, 80), st.integers(0, 500))
def test_suspicion_is_above_a_half_where_another_label_is_more_probable(labels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    said_NY, labels_N = generator.dirichlet(np.full(labels, 0.1), size=30), generator.integers(labels, size=30)
    found_N = suspicion(said_NY, labels_N)
    assert ((found_N > 0) & (found_N < 1)).all()
    given_N = said_NY[np.arange(30), labels_N]
    assert ((found_N > 0.5) == (said_NY.max(axis=1) > given_N)).all()
