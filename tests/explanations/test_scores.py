"""Scores for many test examples at once: the same numbers as one explanation at a time, by every method."""

import weakref
from pathlib import Path

import numpy as np
import pytest
from tiny import ANYWHERE

from influence import METHODS, Workspace, all_scores, open_workspace
from influence.attribution.query import MethodSettings
from influence.errors import QueryError
from influence.explanations.scores import scores_of

ROWS = [5, 0, 11]
DAMPING = 100.0  # so large that the iterative solution takes few passes


@pytest.fixture(scope="module")
def opened(workspace: Path) -> Workspace:
    return open_workspace(workspace)


def one_by_one(opened: Workspace, method: str, *, with_bias: bool = False) -> np.ndarray:
    settings = MethodSettings(damping=DAMPING, with_bias=with_bias)
    frames = [all_scores(opened, test_id=f"te{row}", method=method, settings=settings) for row in ROWS]
    return np.stack([frame["score"].to_numpy() for frame in frames])


@pytest.mark.parametrize("method", ANYWHERE)
def test_scores_of_many_are_the_scores_of_each(opened: Workspace, method: str) -> None:
    found = scores_of(opened, method, ROWS, damping=DAMPING)
    assert (found.shape, found.dtype) == ((3, 80), np.float64)
    expected = one_by_one(opened, method)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize("method", [id for id, method in METHODS.items() if method.has_biases])
def test_biases_make_a_difference_where_there_are_any(opened: Workspace, method: str) -> None:
    found = scores_of(opened, method, ROWS, damping=DAMPING, with_bias=True)
    expected = one_by_one(opened, method, with_bias=True)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(found - scores_of(opened, method, ROWS, damping=DAMPING)).max() > 1e-3 * np.abs(expected).max()


def test_biases_mean_nothing_to_a_method_without_them(opened: Workspace) -> None:
    np.testing.assert_array_equal(scores_of(opened, "tracin-we", ROWS, with_bias=True), scores_of(opened, "tracin-we", ROWS))


def test_the_penalties_are_settings(opened: Workspace) -> None:
    """λ only scales the representer values; a large damping makes influence functions TracIn on the last layer, scaled."""
    np.testing.assert_allclose(
        scores_of(opened, "representer", ROWS, l2=0.3) * 100, scores_of(opened, "representer", ROWS, l2=0.003), rtol=1e-6
    )
    heavy = scores_of(opened, "influence-last", ROWS, damping=1e9) * 1e9 * 80
    last = opened.index.at_checkpoint(2)
    alone = scores_of_checkpoint(opened, last.learning_rates_C[0])
    np.testing.assert_allclose(heavy, alone, rtol=1e-4, atol=1e-6 * np.abs(alone).max())


def scores_of_checkpoint(opened: Workspace, rate: float) -> np.ndarray:
    """⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ on the last layer at the last checkpoint, without learning rate."""
    queries = [opened.queries[row] for row in ROWS]
    method, sources = METHODS["tracin-last"], opened.index
    return np.stack([method.score(sources, query)[-1] for query in queries]) / rate  # type: ignore[arg-type]


def test_progress_is_told(opened: Workspace) -> None:
    told: list[tuple[str, int, int]] = []
    scores_of(opened, "tracin-last", ROWS, progress=lambda *values: told.append(values))
    assert told == [("scores by tracin-last", done, 3) for done in (1, 2, 3)]
    told.clear()
    scores_of(opened, "tracin-second", ROWS, progress=lambda *values: told.append(values))
    assert told[0][0] == "tracin-second: the training set through every checkpoint"
    assert told[-1] == ("scores by tracin-second", 3, 3)


@pytest.mark.parametrize("row", [-1, 16])
def test_a_row_that_is_not_there_is_refused(opened: Workspace, row: int) -> None:
    with pytest.raises(QueryError, match=rf"^test row {row}: workspace 'tiny' has rows 0 to 15$"):
        scores_of(opened, "tracin-we", [0, row])


def test_a_workspace_that_was_asked_is_let_go(workspace: Path) -> None:
    """Else its results file would stay open, and a server's memory grow with every build."""
    opened = open_workspace(workspace)
    for method in ("tracin-we-syn", "tracin-tfidf", "tracin-second"):
        scores_of(opened, method, [0])
    gone = weakref.ref(opened)
    del opened
    assert gone() is None


def test_no_rows_give_no_scores(opened: Workspace) -> None:
    assert scores_of(opened, "tracin-we", []).shape == (0, 80)
