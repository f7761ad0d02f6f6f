"""The formulas that `influence/formulas` holds are those that run: an edit there changes every number that is made with them.

The edit is a factor of 2, which floating point carries through exactly; the rest of the program is as it is.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from tiny import ANYWHERE, request

from influence import Workspace, all_scores, explain, formulas
from influence.attribution.methods import METHODS
from influence.attribution.query import MethodSettings
from influence.clusters.pairs import products, pull
from influence.explanations.scores import scores_of
from influence.suspects.compute import self_influence_at
from influence.suspects.signals import opposition
from influence.workspace.build import build_workspace

WORDS = [id for id in ANYWHERE if METHODS[id].selection is not None]
TEXT = "a great film and a lovely story"
DAMPED = MethodSettings(damping=100.0)  # so much that the iterative solution takes few passes
Numbers = dict[str, Any]


@contextmanager
def edited(*names: str) -> Iterator[None]:
    """Formulas whose body has been changed to give twice as much, whoever has imported them and by whatever name."""

    def doubled(*args: Any, **options: Any) -> Any:
        return 2 * __before__(*args, **options)  # type: ignore[name-defined]  # noqa: F821

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            formula: FunctionType = getattr(formulas, name)
            before = FunctionType(formula.__code__, formula.__globals__, name, formula.__defaults__)
            before.__kwdefaults__ = formula.__kwdefaults__
            patch.setitem(formula.__globals__, f"before_{name}", before)
            names_used = tuple(f"before_{name}" if used == "__before__" else used for used in doubled.__code__.co_names)
            patch.setattr(formula, "__code__", doubled.__code__.replace(co_names=names_used))
        yield


def of_words(workspace: Workspace) -> Numbers:
    """Every number that comes of the products of word gradients, by where it is shown or kept."""
    index, queries = workspace.index, [workspace.queries[row] for row in range(4)]
    first, everyone = workspace.store.first_id("test"), np.arange(workspace.info.n_train)
    found: Numbers = {}
    for id in WORDS:
        selection = METHODS[id].selection
        assert selection is not None
        typed = explain(workspace, text=TEXT, label="pos", method=id)
        both = typed.proponents + typed.opponents
        found[f"query, {id}"] = np.array([(one.score, one.special_score, *one.checkpoint_scores) for one in both])
        found[f"words of a query, {id}"] = np.array([match.score for one in both for match in one.matches])
        found[f"scores, {id}"] = all_scores(workspace, test_id=first, method=id)["score"].to_numpy()
        found[f"scores of many, {id}"] = scores_of(workspace, id, [0, 3])
        if not selection.synonyms:
            found[f"index, one, {id}"] = index.word_scores(queries[0], selection)
            found[f"index, many, {id}"] = index.word_scores_many(queries, selection)
            found[f"index, words, {id}"] = index.matches(queries[0], everyone, selection).scores_X
    found["opposition"] = np.stack(opposition(index, workspace.queries, np.ones(workspace.info.n_test, dtype=bool)))
    found["clusters, distances"] = pull(index, everyone[:20], "tracin-we").scores_EE
    named = products(index, everyone[:20], np.asarray(index.encoding.words_R), "tracin-we", holders=2)
    found["clusters, names"] = np.concatenate([one.products_KK.ravel() for one in named])
    return found


def of_the_build(workspace: Workspace) -> Numbers:
    """What a build has stored: scores by example, by checkpoint and by word, and self-influence."""
    frame = workspace.store.frame
    influences = frame("select * from influences order by test, rank")
    return {
        "stored scores": influences[["score", "special_score"]].to_numpy(),
        "stored scores by checkpoint": np.stack(influences["checkpoint_scores"].tolist()),
        "stored words": frame("select score from contributions order by test, train, test_word, train_word")["score"].to_numpy(),
        "stored self-influence": frame("select score from self_influence order by all")["score"].to_numpy(),
        "self-influence at a checkpoint": self_influence_at(workspace, 0),
        "stored query": np.array([one.score for one in explain(workspace, test_id=workspace.store.first_id("test")).proponents]),
    }


def check_doubled(before: Numbers, after: Numbers) -> None:
    for name, numbers in before.items():
        assert np.abs(numbers).max() > 0, name
        np.testing.assert_array_equal(after[name], 2 * numbers, err_msg=name)


def test_an_edit_of_the_word_formula_is_seen_by_whoever_asks(workspace: Path) -> None:
    with closing(Workspace.open(workspace)) as opened:
        before = of_words(opened)
        with edited("word_products"):
            check_doubled(before, of_words(opened))
        with edited("tracin_term"):
            check_doubled(before, of_words(opened))


@pytest.mark.parametrize("formula", ["word_products", "tracin_term"])
def test_an_edit_of_the_word_formula_is_in_the_next_build(
    workspace: Path, data: dict[str, str], tmp_path: Path, formula: str
) -> None:
    with closing(Workspace.open(workspace)) as opened:
        before = of_the_build(opened)
    with edited(formula):
        build_workspace(tmp_path / "edited", request(data))
        with closing(Workspace.open(tmp_path / "edited")) as opened:
            check_doubled(before, of_the_build(opened))


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("tracin-last", ["layer_products"]),
        ("tracin-last", ["tracin_term"]),
        ("tracin-second", ["layer_products", "gradient_products"]),
        ("tracin-third", ["tracin_term"]),
        ("tracin-all", ["tracin_term"]),
        ("tracin-all", ["layer_products", "gradient_products", "word_products"]),
        ("tracin-tfidf", ["text_scores"]),
        ("tracin-tfidf", ["tracin_term"]),
        ("influence-last", ["influence_scores"]),
        ("influence-second", ["leave_one_out_scores"]),
        ("representer", ["representer_scores"]),
    ],
)
def test_an_edit_of_another_formula_is_seen_by_whoever_asks(workspace: Path, method: str, names: list[str]) -> None:
    def numbers(opened: Workspace) -> Numbers:
        typed = explain(opened, text=TEXT, label="pos", method=method, settings=DAMPED)
        return {
            "query": np.array([(one.score, *one.checkpoint_scores) for one in typed.proponents + typed.opponents]),
            "scores": all_scores(opened, test_id=opened.store.first_id("test"), method=method, settings=DAMPED)[
                "score"
            ].to_numpy(),
            "scores of many": scores_of(opened, method, [0, 3], damping=DAMPED.damping),
        }

    with closing(Workspace.open(workspace)) as opened:
        before = numbers(opened)
        with edited(*names):
            check_doubled(before, numbers(opened))


def test_no_formula_is_there_for_tests_alone() -> None:
    """Every formula is used by the program, in its module or another."""
    library = Path(formulas.__file__).parents[1]
    sources = [file.read_text(encoding="utf-8") for file in library.rglob("*.py")]
    for name in formulas.__all__:
        formula = getattr(formulas, name)
        if isinstance(formula, FunctionType):
            assert sum(source.count(f"{name}(") for source in sources) > 1, name
