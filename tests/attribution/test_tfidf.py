"""tf-idf similarity and TracIn with it (eq. 7), by hand."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from contents import build_folder

from influence import explain, open_workspace
from influence.attribution.tfidf import TextSimilarity
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


def test_words_that_no_training_text_has_are_like_nothing() -> None:
    assert TextSimilarity(TEXTS).to("hail").tolist() == [0, 0, 0]
    assert TextSimilarity(["!", "?"]).to("hail").tolist() == [0, 0]  # not one word in all the texts


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
                probabilities = np.load(folder / str(number) / "probabilities.npy").astype(np.float64)
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
