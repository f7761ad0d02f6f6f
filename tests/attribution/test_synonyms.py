"""TracIn-WE-Syn against every possible assignment, and what follows from its definition (app. H, eq. 8)."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from oracles import kept_positions, position_gradients, relative_error, rows_of
from tiny import BAD, GOOD, Bench, bench, labelled

from influence.attribution.methods import METHODS
from influence.attribution.synonyms import Pairs, SynonymIndex, one_to_one

TOLERANCE = 1e-5  # of the largest score
METHOD = METHODS["tracin-we-syn"]
ALIKE = (GOOD, BAD, ("film", "plot", "scene"), ("the", "a", "of"))


def with_synonyms(engine: Bench) -> None:
    """Make the embeddings of words that stand together alike: near a common vector, at each checkpoint otherwise."""
    vocabulary = engine.tokenizer.get_vocab()
    generator = torch.Generator().manual_seed(5)
    for model in engine.models:
        weight = model.get_input_embeddings().weight
        with torch.no_grad():
            for words in ALIKE:
                common = torch.randn(weight.shape[1], generator=generator)
                for word in words:
                    weight[vocabulary[word]] = common + 0.5 * torch.randn(weight.shape[1], generator=generator)


@pytest.fixture(scope="module", params=["cnn", "bert"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder, sides = tmp_path_factory.mktemp(request.param), (labelled(24, seed=1), labelled(6, seed=2))
    draft = bench(folder / "draft", request.param, train=sides[0], test=sides[1], top_k=5)
    with_synonyms(draft)
    encoded = [(draft.encodings[split], draft.labels[split].tolist()) for split in ("train", "test")]
    return Bench(folder / "whole", draft.models, draft.learning_rates, draft.tokenizer, *encoded, top_k=5)


def words_of(engine: Bench, model: Any, split: str) -> list[dict[int, np.ndarray]]:
    """Gradient of each kept token of each example, summed over its kept positions, float64."""
    found = []
    for row in rows_of(engine.encodings[split], engine.labels[split]):
        gradients_LD = position_gradients(model, row)
        words: dict[int, np.ndarray] = {}
        for position in kept_positions(gradients_LD, engine.top_k):
            token = row.tokens[position]
            words[token] = words.get(token, np.zeros(gradients_LD.shape[1])) + gradients_LD[position]
        found.append(words)
    return found


def best(left: dict[int, np.ndarray], right: dict[int, np.ndarray], alike: Any) -> float:
    """The signed sum over the assignment of largest absolute sum, by trying all of them."""
    few, many = sorted((left, right), key=len)
    products = {(a, b): (float(few[a] @ many[b]) if a == b or alike(a, b) else 0.0) for a in few for b in many}
    tried = ([products[pair] for pair in zip(few, order, strict=True)] for order in itertools.permutations(many, len(few)))
    return sum(max(tried, key=lambda found: sum(map(abs, found))))


def test_scores_are_those_of_the_best_of_all_assignments(engine: Bench) -> None:
    special = set(np.flatnonzero(engine.index.token_kinds.special_V).tolist())
    expected: Any = np.zeros((6, 24))
    for model, rate in zip(engine.models, engine.learning_rates, strict=True):
        embedding = model.get_input_embeddings().weight.detach().double().numpy()

        def alike(a: int, b: int, embedding: np.ndarray = embedding) -> bool:
            cosine = embedding[a] @ embedding[b] / (np.linalg.norm(embedding[a]) * np.linalg.norm(embedding[b]))
            return bool(cosine > 0.7) and not {a, b} & special

        sides = [words_of(engine, model, split) for split in ("test", "train")]
        expected += rate * np.array([[best(test, train, alike) for train in sides[1]] for test in sides[0]])
    assert relative_error(engine.scores(METHOD), expected) < TOLERANCE
    # Synonyms matter on this data, so that the test could fail.
    assert relative_error(engine.scores("tracin-we-topk"), expected) > 1_000 * TOLERANCE


def test_contributions_join_different_words_and_sum_to_the_score(engine: Bench) -> None:
    index, scores, everyone = engine.sources.words(METHOD.selection), engine.scores(METHOD), np.arange(24)  # type: ignore[arg-type]
    differing = 0
    for position, query in enumerate(engine.query_list()):
        found = index.matches(query, everyone, METHOD.selection)  # type: ignore[arg-type]
        totals = np.bincount(found.examples_X, weights=found.scores_X, minlength=24)
        assert np.abs(totals - scores[position]).max() < TOLERANCE * np.abs(scores).max()
        words = [
            query.words_L.tolist(),
            [engine.encodings["train"].words_R[slice(*engine.encodings["train"].offsets_N1[n : n + 2])] for n in range(24)],
        ]
        for example, word, other in zip(
            found.examples_X.tolist(), found.query_words_X.tolist(), found.train_words_X.tolist(), strict=True
        ):
            rows = slice(*engine.encodings["train"].offsets_N1[example : example + 2].tolist())
            own = query.tokens_L[np.array(words[0]) == word]
            theirs = engine.encodings["train"].tokens_R[rows][words[1][example] == other]
            differing += not set(own.tolist()) & set(theirs.tolist())
    assert differing > 10


def test_without_synonyms_it_is_tracin_we_topk(engine: Bench) -> None:
    """A cosine above 1 there is not, so equal words only are left."""
    index = SynonymIndex(engine.index, lambda number: engine.models[number].get_input_embeddings().weight.detach().numpy(), 1.01)
    scores = np.stack([index.word_scores(query, METHOD.selection).sum(axis=0) for query in engine.query_list()])  # type: ignore[arg-type]
    assert relative_error(scores, engine.scores("tracin-we-topk")) < TOLERANCE


def test_it_is_symmetric(engine: Bench, tmp_path: Path) -> None:
    encoded = [(engine.encodings[split], engine.labels[split].tolist()) for split in ("test", "train")]
    swapped = Bench(tmp_path, engine.models, engine.learning_rates, engine.tokenizer, *encoded, top_k=5)
    assert relative_error(swapped.scores(METHOD).T, engine.scores(METHOD)) < TOLERANCE


def test_a_query_of_which_no_word_counts_scores_zero(engine: Bench) -> None:
    query = engine.query_list()[0]
    kept = [checkpoint._replace(kept_L=np.zeros_like(checkpoint.kept_L)) for checkpoint in query.checkpoints]
    object.__setattr__(query, "checkpoints", kept)
    assert (METHOD.score(engine.sources, query) == 0).all()
    found = engine.sources.matches(query, np.array([3, 1]), METHOD.selection)  # type: ignore[arg-type]
    assert len(found.scores_X) == 0


pairs_of = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.integers(-9, 9)),
    max_size=18,
    unique_by=lambda pair: pair[:3],
)


@given(pairs_of)
def test_one_to_one_is_the_best_choice(entries: list[tuple[int, int, int, int]]) -> None:
    """Against every subset of the pairs of each example, for small whole numbers."""
    columns = np.array(entries, dtype=np.int64).reshape(-1, 4).T
    chosen = one_to_one(Pairs(columns[0], columns[1], columns[2], columns[3].astype(np.float64)))
    for example in range(3):
        own = [(left, right, abs(value)) for number, left, right, value in entries if number == example]
        taken = [pair for pair, at in zip(own, np.flatnonzero(columns[0] == example), strict=True) if chosen[at]]
        assert len({left for left, *_ in taken}) == len({right for _, right, _ in taken}) == len(taken)
        sizes = np.zeros((4, 4))
        for left, right, size in own:
            sizes[left, right] = size
        most = max(sum(sizes[left, right] for left, right in enumerate(order)) for order in itertools.permutations(range(4)))
        assert sum(size for *_, size in taken) == most
