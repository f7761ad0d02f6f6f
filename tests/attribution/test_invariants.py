"""What must hold whatever the numbers are: symmetry, invariances, additivity, exact zeros, sums."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from oracles import relative_error, word_contributions
from safetensors.numpy import load_file
from tiny import ANYWHERE, Bench, bench, cnn, labelled, stored, word_pieces
from transformers.modeling_outputs import SequenceClassifierOutput

from influence.attribution.index import WordIndex
from influence.attribution.methods import METHODS
from influence.attribution.query import MethodSettings, Query, QueryCheckpoint, WordSelection
from influence.formulas.layers import layer_products
from influence.formulas.ranking import extremes, random_same_label_scores, random_scores
from influence.formulas.words import top_k_positions, word_gradients, word_scores
from influence.gradients.positions import BatchGradients, GradientSettings, WordGradients
from influence.models.cnn import CnnForSequenceClassification
from influence.models.encoding import Batch, Encoding, encode, length_buckets, pad
from influence.segments.plan import IndexSettings, plan_segments, save_plan
from influence.segments.writer import self_influence, write_segment

KINDS = ("cnn", "bert", "bert-pairs")
WORD_METHODS = [id for id in ANYWHERE if METHODS[id].words]
TRACIN = [*WORD_METHODS, "tracin-last"]
TOLERANCE = 1e-5


def with_twins() -> list[tuple[str, int]]:
    """Twelve examples, three of them there twice, and one long one that pads whatever shares its batch."""
    made = labelled(12, seed=3)
    return [*made, made[2], made[5], made[7], (" ".join(text for text, _ in made[:4]), 1)]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same examples on both sides."""
    return bench(tmp_path_factory.mktemp("same"), kind, train=with_twins(), test=with_twins())


@pytest.mark.parametrize("method", TRACIN)
def test_a_score_is_symmetric(engine: Bench, method: str) -> None:
    scores = engine.scores(method)
    assert relative_error(scores, scores.T) < TOLERANCE


@pytest.mark.parametrize("method", TRACIN)
def test_twins_score_alike(engine: Bench, method: str) -> None:
    """A training example that is there twice has the same score both times, and is influenced alike."""
    scores = engine.scores(method)
    assert relative_error(scores[:, [12, 13, 14]], scores[:, [2, 5, 7]]) < TOLERANCE
    assert relative_error(scores[[12, 13, 14]], scores[[2, 5, 7]]) < TOLERANCE


@pytest.mark.parametrize("method", TRACIN)
def test_the_influence_of_an_example_on_itself_is_never_negative(engine: Bench, method: str) -> None:
    assert (np.diag(engine.scores(method)) >= 0).all()


@pytest.mark.parametrize(("column", "method"), [(0, "tracin-we-topk"), (1, "tracin-we")])
def test_self_influence_is_the_score_with_itself(engine: Bench, column: int, method: str) -> None:
    for split in ("train", "test"):
        found = sum(
            rate * stored(engine.folder, split, number, "self_influence")[:, column]
            for number, rate in enumerate(engine.learning_rates)
        )
        assert relative_error(np.asarray(found), np.diag(engine.scores(method))) < TOLERANCE


@pytest.mark.parametrize("batch_tokens", [1, 70, 10_000])
def test_scores_do_not_depend_on_batches_or_padding(kind: str, engine: Bench, tmp_path: Path, batch_tokens: int) -> None:
    """One at a time (no padding at all), a few, and all at once (most of the batch is padding)."""
    other = bench(tmp_path, kind, train=with_twins(), test=with_twins(), batch_tokens=batch_tokens)
    for method in TRACIN:
        assert relative_error(other.scores(method), engine.scores(method)) < TOLERANCE


def test_padding_longer_changes_no_gradient(kind: str, tmp_path: Path) -> None:
    """The gradients at an example's own positions, in a batch with a much longer one and without."""
    short, long = ("good film", 0), (" ".join(["the plot was very dull and"] * 8), 1)
    together = bench(tmp_path / "together", kind, train=[short, long], test=[short], batch_tokens=10_000)
    alone = bench(tmp_path / "alone", kind, train=[short], test=[short])
    assert relative_error(together.scores("tracin-we")[:, :1], alone.scores("tracin-we")) < TOLERANCE
    assert relative_error(together.scores("tracin-last")[:, :1], alone.scores("tracin-last")) < TOLERANCE


class Careless(CnnForSequenceClassification):
    """A model that looks at its padding: the mean over all positions, whatever the mask says."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any) -> Any:
        return SequenceClassifierOutput(logits=self.classifier(self.embedding(input_ids)[:, :, :10].mean(dim=1)))


def test_padding_never_counts_even_where_the_model_looks_at_it() -> None:
    tokenizer = word_pieces()
    model = Careless(cnn(len(tokenizer), 2, seed=0).config)
    batch = pad(encode(tokenizer, ["good", "a very dull film"], None, max_length=9), np.array([0, 1]), 0)
    with WordGradients(model, GradientSettings(device=torch.device("cpu"))) as gradients:
        found = gradients.of_batch(batch, np.array([0, 1])).gradients_BLD
    assert (found[~torch.from_numpy(batch.real_BL)] == 0).all()
    assert (found[torch.from_numpy(batch.real_BL)].norm(dim=1) > 0).all()


@pytest.mark.parametrize("method", TRACIN)
def test_scores_add_over_checkpoints(kind: str, engine: Bench, tmp_path: Path, method: str) -> None:
    """The score over three checkpoints is the sum of the scores over each alone, and so is its split."""
    alone = [
        bench(tmp_path / str(c), kind, train=with_twins(), test=with_twins(), learning_rates=[rate], seeds=[c])
        for c, rate in enumerate(engine.learning_rates)
    ]
    assert relative_error(engine.scores(method), sum((one.scores(method) for one in alone), np.zeros(()))) < TOLERANCE
    parts_CN = METHODS[method].score(engine.sources, engine.queries[0])
    for part_N, one in zip(parts_CN, alone, strict=True):
        assert relative_error(part_N, METHODS[method].score(one.sources, one.queries[0]).sum(axis=0)) < TOLERANCE


@pytest.mark.parametrize("method", TRACIN)
def test_scores_are_linear_in_the_learning_rates(kind: str, engine: Bench, tmp_path: Path, method: str) -> None:
    rates = [4 * rate for rate in engine.learning_rates]
    other = bench(tmp_path, kind, train=with_twins(), test=with_twins(), learning_rates=rates)
    assert relative_error(other.scores(method), 4 * engine.scores(method)) < TOLERANCE


@pytest.mark.parametrize("method", WORD_METHODS)
@pytest.mark.parametrize("special_tokens", ["include", "exclude", "only"])
def test_word_contributions_sum_to_the_score(engine: Bench, method: str, special_tokens: Any) -> None:
    """Σ over pairs of words = the score; the share of start and end tokens is what --special-tokens only would give."""
    base = METHODS[method].selection
    assert base is not None
    selection = replace(base, special_tokens=special_tokens)
    everyone = np.arange(len(engine.index.labels_N))
    scores = engine.scores(METHODS[method].with_selection(selection))
    only = engine.scores(METHODS[method].with_selection(replace(base, special_tokens="only")))
    index = engine.sources.words(selection)
    scale = max(np.abs(scores).max(), 1e-30)
    for position, query in enumerate(engine.query_list()):
        found = index.matches(query, everyone, selection)
        totals = np.bincount(found.examples_X, weights=found.scores_X, minlength=len(everyone))
        assert np.abs(totals - scores[position]).max() <= TOLERANCE * scale
        assert np.abs(found.checkpoint_scores_EC.sum(axis=1) - scores[position]).max() <= TOLERANCE * scale
        special = np.bincount(found.examples_X, weights=np.where(found.special_X, found.scores_X, 0), minlength=len(everyone))
        expected = np.zeros(len(everyone)) if special_tokens == "exclude" else only[position]
        assert np.abs(special - expected).max() <= TOLERANCE * scale


@pytest.mark.parametrize("method", WORD_METHODS)
def test_including_start_and_end_tokens_is_excluding_them_plus_only_them(engine: Bench, method: str) -> None:
    base = METHODS[method].selection
    assert base is not None
    parts = [engine.scores(METHODS[method].with_selection(replace(base, special_tokens=how))) for how in ("exclude", "only")]
    assert np.abs(parts[0] + parts[1] - engine.scores(method)).max() <= TOLERANCE * np.abs(engine.scores(method)).max()


def test_without_a_shared_word_the_score_is_exactly_zero(kind: str, tmp_path: Path) -> None:
    """Not nearly: the sum has no term. Start and end tokens are shared by all, so they alone stand in the way."""
    train = [("good film", 0), ("the actor and the plot", 1), ("dull music", 2)]
    apart = bench(tmp_path, kind, train=train, test=[("lovely scene", 0), ("good story", 1)])
    without = METHODS["tracin-we"].with_selection(WordSelection(special_tokens="exclude"))
    shares = np.array([[False, False, False], [True, False, False]])
    for scores in (apart.scores(without), apart.scores("tracin-we-noc")):
        assert (scores[~shares] == 0).all()
        assert (scores[shares] != 0).all()
    assert (apart.scores("tracin-common") != 0).all()
    proponents, opponents = extremes(apart.scores(without)[0], np.arange(3), 10)
    assert (proponents.tolist(), opponents.tolist()) == ([], [])


def test_k_as_long_as_the_text_is_tracin_we_exactly(kind: str, tmp_path: Path) -> None:
    """Bit for bit: the same products are summed in the same order."""
    whole = bench(tmp_path, kind, train=with_twins(), test=with_twins(), top_k=60)
    np.testing.assert_array_equal(whole.scores("tracin-we-topk"), whole.scores("tracin-we"))


def test_a_smaller_k_keeps_fewer_positions_and_no_padding(engine: Bench) -> None:
    for split, encoding in engine.encodings.items():
        if split == "train":
            continue
        for query, length in zip(engine.query_list(), encoding.lengths_N.tolist(), strict=True):
            for checkpoint in query.checkpoints:
                assert checkpoint.kept_L.sum() == min(engine.top_k, length)
    for number in range(len(engine.models)):
        counts = [
            np.bincount(load_file(segment / str(number) / "top.safetensors")["examples"])
            for segment in sorted((engine.folder / "train").glob("0*/"))
        ]
        expected = np.minimum(engine.encodings["train"].lengths_N, engine.top_k)
        np.testing.assert_array_equal(np.concatenate(counts), expected)


@pytest.mark.parametrize("method", WORD_METHODS)
def test_many_queries_at_once_give_the_scores_of_one_at_a_time(engine: Bench, method: str) -> None:
    selection = METHODS[method].selection
    assert selection is not None
    many = engine.sources.word_scores_many(engine.query_list(), selection)
    assert relative_error(many, engine.scores(method)) < TOLERANCE


@pytest.mark.parametrize("method", ["random", "random-same-label"])
def test_the_random_controls_depend_on_the_query_and_the_draw_and_nothing_else(engine: Bench, method: str) -> None:
    scores = engine.scores(method)
    np.testing.assert_array_equal(scores, engine.scores(method))
    again = METHODS[method].with_settings(MethodSettings(draw=7))
    np.testing.assert_array_equal(engine.scores(again), engine.scores(again))
    assert len(np.unique(np.concatenate([scores, engine.scores(again)]).round(12), axis=0)) == 2 * len(scores)
    if method == "random-same-label":
        same = engine.labels["test"][:, None] == engine.labels["train"][None, :]
        np.testing.assert_array_equal(scores > 0, same)


# Arrays: whole numbers small enough that float32 sums are exact, so equality is exact too ------------------------------

small = st.integers(-4, 4)


@st.composite
def splits(draw: st.DrawFn, width: int = 3, vocabulary: int = 6, checkpoints: int = 2) -> dict[str, Any]:
    """Examples of random tokens (many repeated) with whole-number gradients, as two dense arrays a checkpoint."""
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=6))
    total = sum(lengths)
    tokens = draw(hnp.arrays(np.int32, total, elements=st.integers(0, vocabulary - 1)))
    gradients = [draw(hnp.arrays(np.float32, (total, width), elements=small.map(float))) for _ in range(checkpoints)]
    return {"lengths": lengths, "tokens": tokens, "gradients": gradients}


def as_encoding(split: dict[str, Any]) -> Encoding:
    """Every token a word of its own; token 0 plays the start token."""
    offsets = np.concatenate([[0], np.cumsum(split["lengths"])])
    words = np.concatenate([np.arange(length) for length in split["lengths"]]).astype(np.int32)
    special = split["tokens"] == 0
    zeros = np.zeros(len(words), dtype=np.int32)
    return Encoding(
        offsets_N1=offsets,
        tokens_R=split["tokens"],
        types_R=zeros.astype(np.int8),
        special_R=special,
        words_R=words,
        word_offsets_N1=offsets,
        word_sides_W=np.where(special, -1, 0).astype(np.int8),
        word_starts_W=zeros,
        word_ends_W=zeros,
        truncated_N=np.zeros(len(split["lengths"]), dtype=bool),
    )


class GivenGradients:
    """Stands where the model does, with gradients that are given."""

    def __init__(self, gradients_RD: np.ndarray, batch_tokens: int) -> None:
        self.gradients_RD, self.batch_tokens = gradients_RD, batch_tokens

    def batches(self, encoding: Encoding, labels_N: np.ndarray, examples_E: np.ndarray) -> Iterator[BatchGradients]:
        assert examples_E.tolist() == list(range(examples_E[0], examples_E[-1] + 1))  # no two are alike, for the labels differ
        for places_B in length_buckets(encoding.lengths_N[examples_E], batch_tokens=self.batch_tokens):
            examples_B = examples_E[places_B]
            batch: Batch = pad(encoding, examples_B, 0)
            gradients_BLD = np.zeros((*batch.tokens_BL.shape, self.gradients_RD.shape[1]), dtype=np.float32)
            for row, example in enumerate(examples_B):
                start, stop = encoding.offsets_N1[example : example + 2]
                gradients_BLD[row, : stop - start] = self.gradients_RD[start:stop]
            ones = np.ones((len(examples_B), 2), dtype=np.float32)
            yield BatchGradients(batch, torch.from_numpy(gradients_BLD), ones, ones[:, 0], None, ones)


def dense(split: dict[str, Any], checkpoint: int, example: int, k: int, vocabulary: int, chosen: set[int]) -> np.ndarray:
    """Kept position gradients summed by token, shape (V, D), by plain loops."""
    start = sum(split["lengths"][:example])
    gradients = split["gradients"][checkpoint][start : start + split["lengths"][example]]
    ranked = sorted(range(len(gradients)), key=lambda i: (-float(np.sqrt((gradients[i].astype(np.float64) ** 2).sum())), i))
    summed = np.zeros((vocabulary, gradients.shape[1]))
    for position in ranked[:k]:
        token = int(split["tokens"][start + position])
        if token in chosen:
            summed[token] += gradients[position]
    return summed


@settings(max_examples=15)
@given(train=splits(), test=splits(), k=st.integers(1, 8), batch_tokens=st.integers(1, 40), data=st.data())
@pytest.mark.parametrize("kind_of_token", ["all", "uncommon", "start-end"])
@pytest.mark.parametrize("top_k", [True, False])
def test_the_index_equals_dense_arithmetic_on_whole_numbers(
    tmp_path_factory: pytest.TempPathFactory,
    kind_of_token: Any,
    top_k: bool,
    train: dict[str, Any],
    test: dict[str, Any],
    k: int,
    batch_tokens: int,
    data: st.DataObject,
) -> None:
    """Single queries, many at once and word contributions, for every selection: no rounding, so exact equality."""
    vocabulary, rates = 6, [0.5, 2.0]
    folder = tmp_path_factory.mktemp("index")
    encoding = as_encoding(train)
    labels_N, how = np.arange(len(encoding)), IndexSettings(top_k=k, store_rest=True, exact=True, segment_examples=4)
    save_plan(folder, plan_segments(encoding.lengths_N, 3, how))
    for number, segment in product(range(2), plan_segments(encoding.lengths_N, 3, how)):
        given_gradients: Any = GivenGradients(train["gradients"][number], batch_tokens)
        at = folder / segment.name / str(number)
        write_segment(given_gradients, encoding, labels_N, labels_N, at, segment, settings=how)
    special_V, common_V = np.arange(vocabulary) == 0, np.arange(vocabulary) < 2
    index = WordIndex(
        folder,
        encoding,
        labels_N=np.arange(len(encoding)),
        learning_rates_C=np.array(rates),
        special_V=special_V,
        common_V=common_V,
    )
    queries = [as_query(test, example, k) for example in range(len(test["lengths"]))]
    chosen = {"all": set(range(6)), "uncommon": {2, 3, 4, 5}, "start-end": {0}}[kind_of_token]
    kept = k if top_k else 100
    expected = np.zeros((len(queries), len(encoding)))
    for number, rate in enumerate(rates):
        for m in range(len(queries)):
            for n in range(len(encoding)):
                left, right = (dense(split, number, at, kept, vocabulary, chosen) for split, at in ((test, m), (train, n)))
                expected[m, n] += rate * (left * right).sum()
    selection = WordSelection(top_k=top_k, tokens=kind_of_token)
    np.testing.assert_array_equal([index.word_scores(q, selection).sum(axis=0) for q in queries], expected)
    np.testing.assert_array_equal(index.word_scores_many(queries, selection), expected)
    examples_E = np.array(data.draw(st.permutations(range(len(encoding)))))
    for m, query in enumerate(queries):
        found = index.matches(query, examples_E, selection)
        totals = np.bincount(found.examples_X, weights=found.scores_X, minlength=len(encoding))
        np.testing.assert_array_equal(totals, expected[m, examples_E])
        np.testing.assert_array_equal(found.checkpoint_scores_EC.sum(axis=1), expected[m, examples_E])
        assert found.special_X.tolist() == [bool(special_V[query.tokens_L[word]]) for word in found.query_words_X]


def as_query(split: dict[str, Any], example: int, k: int) -> Query:
    start = sum(split["lengths"][:example])
    where = slice(start, start + split["lengths"][example])
    checkpoints = []
    for gradients in split["gradients"]:
        norms = np.linalg.norm(gradients[where], axis=1)[None]
        kept_L = top_k_positions(norms, np.ones_like(norms, dtype=bool), k)[0]
        checkpoints.append(QueryCheckpoint(gradients[where], kept_L, None, np.zeros(2)))
    tokens = split["tokens"][where]
    return Query(str(example), 0, tokens, np.arange(len(tokens)), tokens == 0, checkpoints)


@given(
    norms=hnp.arrays(np.float32, (3, 7), elements=st.integers(0, 3).map(float)),
    lengths=st.lists(st.integers(1, 7), min_size=3, max_size=3),
    k=st.integers(1, 9),
)
def test_top_k_positions_are_the_first_k_of_a_plain_sort(norms: np.ndarray, lengths: list[int], k: int) -> None:
    """Largest first, ties to the earlier position, padding never, whatever garbage its norm is."""
    real = np.arange(7) < np.array(lengths)[:, None]
    norms[~real] = 99
    for row, length, kept in zip(norms, lengths, top_k_positions(norms, real, k), strict=True):
        expected = sorted(range(length), key=lambda i: (-row[i], i))[:k]
        assert set(np.flatnonzero(kept).tolist()) == set(expected)


@given(
    tokens=hnp.arrays(np.int32, 5, elements=st.integers(0, 3)),
    others=hnp.arrays(np.int32, 4, elements=st.integers(0, 3)),
    gradients=hnp.arrays(np.float64, (5, 3), elements=small.map(float)),
    other_gradients=hnp.arrays(np.float64, (4, 3), elements=small.map(float)),
)
def test_word_contributions_sum_to_the_dense_inner_product(
    tokens: np.ndarray, others: np.ndarray, gradients: np.ndarray, other_gradients: np.ndarray
) -> None:
    """⟨Σ_i e_{w_i} ⊗ g_i, Σ_j e_{w'_j} ⊗ g'_j⟩ over one-hot rows is the sum of the table, and the score."""
    dense_VD, other_VD = np.zeros((4, 3)), np.zeros((4, 3))
    np.add.at(dense_VD, tokens, gradients)
    np.add.at(other_VD, others, other_gradients)
    found = word_contributions(tokens, gradients, others, other_gradients)
    assert found.sum() == (dense_VD * other_VD).sum()
    held = ((word, gradient_D, others == word) for word, gradient_D in zip(*word_gradients(tokens, gradients), strict=True))
    blocks = ((gradient_D, other_gradients[same], np.zeros(same.sum(), dtype=int)) for _, gradient_D, same in held)
    assert word_scores(blocks, 1, 0.5).tolist() == [0.5 * found.sum()]
    for i in range(5):
        for j in range(4):
            assert found[i, j] == (float(gradients[i] @ other_gradients[j]) if tokens[i] == others[j] else 0)


@given(
    features=hnp.arrays(np.float64, (4, 3), elements=small.map(float)),
    deltas=hnp.arrays(np.float64, (4, 2), elements=small.map(float)),
)
def test_last_layer_products_are_inner_products_of_outer_products(features: np.ndarray, deltas: np.ndarray) -> None:
    """∂ℓ/∂W = δ aᵀ, so ⟨δaᵀ, δ'a'ᵀ⟩ = (δ·δ′)(a·a′)."""
    expected = [(np.outer(deltas[n], features[n]) * np.outer(deltas[0], features[0])).sum() for n in range(4)]
    np.testing.assert_array_equal(layer_products(features, deltas, features[0], deltas[0]), expected)


@given(
    gradients=hnp.arrays(np.float32, (2, 5, 3), elements=small.map(float)),
    tokens=hnp.arrays(np.int64, (2, 5), elements=st.integers(0, 2)),
    kept=st.lists(st.permutations(range(5)).map(lambda order: order[:3]), min_size=2, max_size=2),
)
def test_self_influence_is_the_squared_norm_of_summed_gradients(
    gradients: np.ndarray, tokens: np.ndarray, kept: list[list[int]]
) -> None:
    expected = []
    for row in range(2):
        norms = []
        for positions in (kept[row], list(range(5))):
            dense_VD = np.zeros((3, 3))
            np.add.at(dense_VD, tokens[row][positions], gradients[row][positions])
            norms.append((dense_VD**2).sum())
        expected.append(norms)
    every = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    found = [
        self_influence(*map(torch.tensor, (gradients, np.vecdot(gradients, gradients), tokens, chosen)))
        for chosen in (np.array(kept), every)
    ]
    np.testing.assert_allclose(np.stack(found, axis=1), expected, rtol=1e-6)


@given(scores=hnp.arrays(np.float64, st.integers(1, 12), elements=small.map(float)), top=st.integers(1, 14), data=st.data())
def test_extremes_are_a_plain_sort_by_score_then_rank(scores: np.ndarray, top: int, data: st.DataObject) -> None:
    """Ties by rank, zeros nowhere, also at the edge of the list."""
    ranks = np.array(data.draw(st.permutations(range(len(scores)))))
    everyone = range(len(scores))
    proponents = sorted((n for n in everyone if scores[n] > 0), key=lambda n: (-scores[n], ranks[n]))[:top]
    opponents = sorted((n for n in everyone if scores[n] < 0), key=lambda n: (scores[n], ranks[n]))[:top]
    found = extremes(scores, ranks, top)
    assert (found[0].tolist(), found[1].tolist()) == (proponents, opponents)


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40), batch_tokens=st.integers(1, 200))
def test_length_buckets_hold_every_example_once_beside_others_of_its_length_and_fit(
    lengths: list[int], batch_tokens: int
) -> None:
    buckets = length_buckets(np.array(lengths), batch_tokens=batch_tokens)
    assert sorted(np.concatenate(buckets).tolist()) == list(range(len(lengths)))
    for bucket in buckets:
        assert len({lengths[n] for n in bucket}) == 1
        assert len(bucket) == 1 or len(bucket) * lengths[bucket[0]] <= batch_tokens


@given(labels=hnp.arrays(np.int64, 50, elements=st.integers(0, 3)), seed=st.integers(0, 1_000))
def test_the_controls_are_seeded_and_the_second_has_the_sign_of_the_label(labels: np.ndarray, seed: int) -> None:
    scores = random_same_label_scores(labels, 2, np.random.default_rng(seed))
    np.testing.assert_array_equal(scores > 0, labels == 2)
    np.testing.assert_array_equal(np.abs(scores), np.abs(random_scores(50, np.random.default_rng(seed))))
