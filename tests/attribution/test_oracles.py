"""The engine against independent ways to the same number.

Every oracle is slow and obvious: Captum, dense float64 autograd over the whole embedding matrix, one real SGD step.
The data holds padding (lengths 5 to 14), words that occur twice, and three checkpoints with different learning rates.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.influence import TracInCP, TracInCPFast
from oracles import (
    by_token,
    doubled,
    embedding_gradient,
    kept_positions,
    last_weight_gradient,
    loss,
    position_gradients,
    relative_error,
    rows_of,
    tracin,
)
from tiny import Bench, bench, labelled
from torch import nn
from torch.utils.data import TensorDataset

from influence.attribution.methods import METHODS
from influence.models.encoding import pad

TOLERANCE = 1e-5  # of the largest score
KINDS = ("cnn", "bert", "bert-pairs")


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """24 training and 6 test examples under three random models; k = 4."""
    folder = tmp_path_factory.mktemp(request.param)
    return bench(folder, request.param, train=labelled(24, seed=1), test=labelled(6, seed=2))


def per_checkpoint(engine: Bench, gradient: Any, splits: tuple[str, str] = ("train", "test")) -> np.ndarray:
    """Σ_c η_c ⟨gradient(x), gradient(x')⟩ with a dense gradient, shape (M, N)."""
    total = 0.0
    for model, rate in zip(engine.models, engine.learning_rates, strict=True):
        train, test = (
            [gradient(model, row) for row in rows_of(engine.encodings[split], engine.labels[split])] for split in splits
        )
        total = total + rate * tracin(train, test)
    return np.asarray(total)


def test_the_data_has_what_can_go_wrong(engine: Bench) -> None:
    """Different lengths, and words that occur twice on both sides."""
    for encoding in engine.encodings.values():
        assert len(set(encoding.lengths_N.tolist())) > 3
        rows = rows_of(encoding, [0] * len(encoding))
        assert sum(len(set(row.tokens)) < len(row.tokens) for row in rows) > len(rows) // 3
    assert (engine.encodings["train"].lengths_N > engine.top_k).any()


class Positional(nn.Module):
    """Captum wants tensors in order, logits out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Any:
        return self.model(input_ids=tokens, attention_mask=mask, token_type_ids=types).logits


def captum_setting(engine: Bench) -> dict[str, Any]:
    """One model whose weights Captum changes from checkpoint to checkpoint, and the padded data."""

    def padded(split: str) -> tuple[torch.Tensor, ...]:
        encoding = engine.encodings[split]
        batch = pad(encoding, np.arange(len(encoding)), engine.tokenizer.pad_token_id)
        assert not batch.real_BL.all()
        return (
            torch.from_numpy(batch.tokens_BL),
            torch.from_numpy(batch.real_BL.astype(np.int64)),
            torch.from_numpy(np.zeros_like(batch.tokens_BL) if batch.types_BL is None else batch.types_BL),
            torch.from_numpy(engine.labels[split]),
        )

    def load(module: nn.Module, checkpoint: tuple[dict[str, torch.Tensor], float]) -> float:
        module.load_state_dict(checkpoint[0])
        return checkpoint[1]  # left out, Captum would take 1.0

    wrapped = [Positional(model).eval() for model in engine.models]
    states = [{name: value.clone() for name, value in w.state_dict().items()} for w in wrapped]
    return {
        "model": Positional(type(engine.models[0])(engine.models[0].config)).eval(),
        "train": TensorDataset(*padded("train")),
        "test": padded("test"),
        "checkpoints": list(zip(states, engine.learning_rates, strict=True)),
        "load": load,
    }


def embedding_name(model: nn.Module) -> str:
    return next(name for name, module in model.named_modules() if module is model.model.get_input_embeddings())  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("batch_size", [1, 5])
def test_tracin_we_equals_captum_tracincp_on_the_embedding_layer(engine: Bench, batch_size: int) -> None:
    setting = captum_setting(engine)
    captum = TracInCP(
        setting["model"],
        setting["train"],
        setting["checkpoints"],
        setting["load"],
        layers=[embedding_name(setting["model"])],
        loss_fn=nn.CrossEntropyLoss(reduction="none"),
        batch_size=batch_size,
    )
    expected = captum.influence(setting["test"]).numpy()
    assert relative_error(engine.scores("tracin-we"), expected) < TOLERANCE


def test_tracin_last_equals_captum_tracincpfast(engine: Bench) -> None:
    """TracInCPFast leaves the bias out, as we do."""
    setting = captum_setting(engine)
    captum = TracInCPFast(
        setting["model"],
        "model.classifier",
        setting["train"],
        setting["checkpoints"],
        setting["load"],
        loss_fn=nn.CrossEntropyLoss(reduction="sum"),
        batch_size=8,
    )
    expected = captum.influence(setting["test"]).detach().numpy()
    assert relative_error(engine.scores("tracin-last"), expected) < TOLERANCE


def test_captum_tracincp_on_the_last_layer_is_tracin_last_plus_the_bias(engine: Bench) -> None:
    """TracInCP takes the bias in: ⟨∂ℓ/∂b, ∂ℓ'/∂b⟩ = δ·δ′, since ∂ℓ/∂b = δ = p − y."""
    setting = captum_setting(engine)
    captum = TracInCP(
        setting["model"],
        setting["train"],
        setting["checkpoints"],
        setting["load"],
        layers=["model.classifier"],
        loss_fn=nn.CrossEntropyLoss(reduction="none"),
        batch_size=8,
    )
    bias = sum(
        rate * np.stack([q.checkpoints[c].deltas_Y for q in engine.query_list()]) @ engine.index.last_layer(c)[1].T
        for c, rate in enumerate(engine.learning_rates)
    )
    expected = captum.influence(setting["test"]).numpy()
    assert relative_error(engine.scores("tracin-last") + bias, expected) < TOLERANCE
    assert relative_error(engine.scores("tracin-last"), expected) > 100 * TOLERANCE


def test_tracin_we_equals_dense_autograd_over_the_embedding_matrix(engine: Bench) -> None:
    assert relative_error(engine.scores("tracin-we"), per_checkpoint(engine, embedding_gradient)) < TOLERANCE


def test_tracin_we_topk_equals_dense_autograd_of_the_strongest_positions(engine: Bench) -> None:
    def topk_gradient(model: Any, row: Any) -> np.ndarray:
        gradients_LD = position_gradients(model, row)
        vocabulary = model.get_input_embeddings().weight.shape[0]
        return by_token(gradients_LD, row.tokens, kept_positions(gradients_LD, engine.top_k), vocabulary)

    expected = per_checkpoint(engine, topk_gradient)
    assert relative_error(engine.scores("tracin-we-topk"), expected) < TOLERANCE
    # The cut matters on this data, so that the test could fail.
    assert relative_error(engine.scores("tracin-we"), expected) > 100 * TOLERANCE


@pytest.mark.parametrize("method", ["tracin-we-noc", "tracin-common"])
def test_selections_by_kind_of_token_equal_dense_autograd_of_those_rows(engine: Bench, method: str) -> None:
    """Section 5: rows of common tokens struck out of the dense gradient, or all rows but those of start and end."""
    vocabulary = engine.tokenizer.get_vocab()
    start_end = {vocabulary["[CLS]"], vocabulary["[SEP]"]}
    stop_words = {vocabulary[word] for word in ("the", "a", "of", "and", "is", "was", "very", "so") if word in vocabulary}
    assert len(stop_words) == 8

    def gradient(model: Any, row: Any) -> np.ndarray:
        dense = embedding_gradient(model, row)
        for token in range(len(dense)):
            struck = token in start_end | stop_words if method == "tracin-we-noc" else token not in start_end
            dense[token] *= not struck
        return dense

    assert relative_error(engine.scores(method), per_checkpoint(engine, gradient)) < TOLERANCE


def test_tracin_last_equals_autograd_of_the_last_weight(engine: Bench) -> None:
    assert relative_error(engine.scores("tracin-last"), per_checkpoint(engine, last_weight_gradient)) < TOLERANCE


@pytest.mark.parametrize("method", ["tracin-we", "tracin-we-topk"])
def test_word_contributions_equal_the_dense_ones_of_that_pair_of_words(engine: Bench, method: str) -> None:
    """⟨Σ_{i in word} g_i, Σ_{j in word'} g'_j⟩ over positions of equal token, for every pair of words of every pair of texts."""
    selection = METHODS[method].selection
    assert selection is not None
    cached: dict[tuple[int, str, int], tuple[np.ndarray, list[int]]] = {}

    def gradients(number: int, split: str, at: int) -> tuple[np.ndarray, list[int]]:
        if (number, split, at) not in cached:
            row = rows_of(engine.encodings[split], engine.labels[split])[at]
            gradients_LD = position_gradients(engine.models[number], row)
            k = engine.top_k if method == "tracin-we-topk" else len(row.tokens)
            cached[number, split, at] = gradients_LD, kept_positions(gradients_LD, k)
        return cached[number, split, at]

    def tokens_words(split: str, at: int) -> tuple[list[int], list[int]]:
        encoding = engine.encodings[split]
        where = slice(*encoding.offsets_N1[at : at + 2])
        return encoding.tokens_R[where].tolist(), encoding.words_R[where].tolist()

    scale = np.abs(engine.scores(method)).max()
    examples = np.array([17, 3, 0, 23])  # not in order, on purpose
    for position, query in enumerate(engine.query_list()[:3]):
        expected: dict[tuple[int, int, int], float] = {}
        query_tokens, query_words = tokens_words("test", position)
        for place, example in enumerate(examples.tolist()):
            tokens, words = tokens_words("train", example)
            for number, rate in enumerate(engine.learning_rates):
                left_LD, kept = gradients(number, "test", position)
                right_LD, other_kept = gradients(number, "train", example)
                for i in kept:
                    for j in other_kept:
                        if query_tokens[i] == tokens[j]:
                            key = (place, query_words[i], words[j])
                            expected[key] = expected.get(key, 0.0) + rate * float(left_LD[i] @ right_LD[j])
        found = engine.index.matches(query, examples, selection)
        keys = list(zip(*(column.tolist() for column in found[:3]), strict=True))
        assert set(keys) == set(expected)
        assert len(keys) == len(set(keys))
        wanted = np.array([expected[key] for key in keys])
        assert np.abs(found.scores_X - wanted).max() < TOLERANCE * scale


@pytest.mark.parametrize("label_shift", [0, 1])
def test_one_sgd_step_on_x_lowers_the_loss_on_x_prime_by_rate_times_score(
    tmp_path: Path, engine: Bench, label_shift: int
) -> None:
    """Guards sign and value with nothing but a real optimizer.

    A step Θ ← Θ − ε ∇ℓ(x) on the embedding changes ℓ(x') by −ε⟨∇ℓ(x), ∇ℓ(x')⟩ + O(ε²). The step and its reverse
    (central difference) cancel the second order, so (ℓ'(reverse) − ℓ'(step)) / 2ε = score / η, positive for a proponent.
    """
    model, rate = engine.models[0], engine.learning_rates[0]
    train = rows_of(engine.encodings["train"], (engine.labels["train"] + label_shift) % 3)[:8]
    test = rows_of(engine.encodings["test"], engine.labels["test"])[:3]
    single = Bench(
        tmp_path,
        [model],
        [rate],
        engine.tokenizer,
        (engine.encodings["train"], (engine.labels["train"] + label_shift) % 3),
        (engine.encodings["test"], engine.labels["test"]),
        top_k=60,
    )
    epsilon = 1e-4

    def loss_after_step(row: Any, other: Any, *, reverse: bool) -> float:
        stepped = doubled(model)
        optimizer = torch.optim.SGD([stepped.get_input_embeddings().weight], lr=epsilon, maximize=reverse)
        loss(stepped, row).backward()
        optimizer.step()
        with torch.no_grad():
            return float(loss(stepped, other))

    lowered = np.array(
        [
            [(loss_after_step(x, other, reverse=True) - loss_after_step(x, other, reverse=False)) / (2 * epsilon) for x in train]
            for other in test
        ]
    )
    found = single.scores("tracin-we-topk")[: len(test), : len(train)]
    assert relative_error(found / rate, lowered) < 1e-4
    assert (np.sign(found) == np.sign(lowered))[np.abs(lowered) > 1e-3 * np.abs(lowered).max()].all()
    assert (lowered > 0).any()
    assert (lowered < 0).any()
