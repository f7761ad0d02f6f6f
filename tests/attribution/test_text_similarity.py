"""tf-idf similarity and TracIn with it (eq. 7), and BM25, by hand."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from contents import build_folder
from tiny import rows, stored

from influence import explain, open_workspace
from influence.attribution.text_similarity import Bm25, TextSimilarity
from influence.explanations.scores import scores_of

TEXTS = ["sun rain", "sun sun fog", "moon"]


def by_hand(text: str) -> list[float]:
    """Cosines of tf · (1 + ln((1 + N) / (1 + df))) vectors over sun, rain, fog, moon; df = 2, 1, 1, 1 and N = 3."""
    words = ("sun", "rain", "fog", "moon")
    idf = {word: 1 + math.log(4 / (1 + sum(word in other.split() for other in TEXTS))) for word in words}

    def vector(of: str) -> np.ndarray:
        return np.array([of.split().count(word) * idf[word] for word in words])

    query = vector(text)
    return [float(query @ vector(other) / (np.linalg.norm(query) * np.linalg.norm(vector(other)))) for other in TEXTS]


@pytest.mark.parametrize("text", ["sun", "rain fog", "sun rain", "moon moon sun"])
def test_similarity_is_the_cosine_worked_by_hand(text: str) -> None:
    assert TextSimilarity(TEXTS).to(text).tolist() == pytest.approx(by_hand(text))


def test_bm25_is_what_is_worked_by_hand() -> None:
    """Lengths 2, 3, 1, mean 2, so k₁ (1 − b + b |x| / 2) is 1.2 · 1, 1.2 · 1.375 and 1.2 · 0.625.

    df of sun is 2 of 3: ln(1 + 1.5 / 2.5) = ln 1.6; of rain, fog and moon 1: ln(1 + 2.5 / 1.5) = ln(8/3). A word that the
    query says twice counts twice, one that no text has not at all.
    """
    sun, rare = math.log(1.6), math.log(8 / 3)
    first, second = sun * 2.2 / (1 + 1.2), sun * 2 * 2.2 / (2 + 1.65)
    assert Bm25(TEXTS).to("Sun hail").tolist() == pytest.approx([first, second, 0])
    assert Bm25(TEXTS).to("moon sun moon").tolist() == pytest.approx([first, second, 2 * rare * 2.2 / (1 + 0.75)])
    assert Bm25(TEXTS).to("rain fog").tolist() == pytest.approx([rare * 2.2 / (1 + 1.2), rare * 2.2 / (1 + 1.65), 0])


def test_bm25_agrees_with_a_loop_over_words_and_texts() -> None:
    texts = [text for _, text, _ in rows(60, seed=3)]
    split = [[word for word in text.split() if len(word) > 1] for text in texts]
    mean = sum(map(len, split)) / len(split)
    for _, query, _ in rows(5, seed=4):
        expected = []
        for words in split:
            total = 0.0
            for word in query.split():
                df = sum(word in other for other in split)
                tf = words.count(word)
                total += math.log(1 + (60 - df + 0.5) / (df + 0.5)) * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(words) / mean))
            expected.append(total)
        assert Bm25(texts).to(query).tolist() == pytest.approx(expected)


def test_scripts_without_spaces_are_compared_by_character() -> None:
    texts = ["我喜欢电影", "天气很好", "the film"]
    for similarity in (TextSimilarity(texts), Bm25(texts)):
        found = similarity.to("电影很长")
        assert found[0] > found[1] > found[2] == 0


@pytest.mark.parametrize("method", ["bm25", "tfidf"])
def test_a_control_that_knows_texts_only_asks_for_the_text_as_the_others_do(copied: Callable[[], Path], method: str) -> None:
    workspace = open_workspace(copied())
    similarity = {"bm25": Bm25, "tfidf": TextSimilarity}[method](workspace.store.joined_texts("train"))
    found_MN = scores_of(workspace, method, [3, 0])
    for found_N, row in zip(found_MN, (3, 0), strict=True):
        np.testing.assert_allclose(found_N, similarity.to(workspace.store.joined_texts("test", row)[0]), rtol=1e-12)
    found = explain(workspace, test_id="te3", method=method)
    assert found.opponents == []
    assert found.proponents[0].score == pytest.approx(found_MN[0].max())
    assert explain(workspace, text=found.query.text, method=method).proponents[0].score == found.proponents[0].score


def test_words_that_no_training_text_has_are_like_nothing() -> None:
    assert TextSimilarity(TEXTS).to("hail").tolist() == [0, 0, 0]
    assert TextSimilarity(["!", "?"]).to("hail").tolist() == [0, 0]  # not one word in all the texts
    assert Bm25(["!", "?"]).to("hail").tolist() == [0, 0]


def test_equation_7_is_similarity_times_the_product_of_the_logits_gradients(copied: Callable[[], Path]) -> None:
    """Σ_c η_c · cos · ⟨p − y, p' − y'⟩ with the predictions as the build stored them, and texts straight from the data."""
    workspace = open_workspace(copied())
    found_MN = scores_of(workspace, "tracin-tfidf", [3, 0])
    similarity = TextSimilarity(workspace.store.joined_texts("train"))
    for found_N, row in zip(found_MN, (3, 0), strict=True):
        expected_N = np.zeros(workspace.info.n_train)
        for number, rate in enumerate(workspace.learning_rates_C):
            sides = []
            for split in ("train", "test"):
                folder = build_folder(workspace.path) / "index" / split
                probabilities = stored(folder.parent, folder.name, number, "probabilities").astype(np.float64)
                sides.append(probabilities - np.eye(2)[np.load(folder / "labels.npy")])
            expected_N += rate * (sides[0] @ sides[1][row])
        expected_N *= similarity.to(workspace.store.joined_texts("test", row)[0])
        np.testing.assert_allclose(found_N, expected_N, rtol=1e-4, atol=1e-7)
    # The same through `explain`, for the test example and for its text typed in.
    first = explain(workspace, test_id="te3", method="tracin-tfidf")
    typed = explain(workspace, text=first.query.text, label=first.label, method="tracin-tfidf")
    assert first.proponents[0].score == pytest.approx(found_MN[0].max())
    assert [i.train.id for i in typed.proponents] == [i.train.id for i in first.proponents]
    assert typed.proponents[0].score == pytest.approx(first.proponents[0].score, rel=1e-4)
