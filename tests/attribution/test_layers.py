"""TracIn by layer: against Captum and autograd, with biases and without, for the CNN, BERT and the other kinds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from captum.influence import TracInCP
from model_kinds import KINDS, make
from oracles import doubled, loss, relative_error, rows_of, tracin
from tiny import Bench, bench, labelled, word_pieces
from torch import nn
from torch.utils.data import TensorDataset

from influence.attribution import layer_scores
from influence.attribution.methods import METHODS, Method
from influence.attribution.query import MethodSettings
from influence.errors import ModelError, QueryError
from influence.gradients.layers import chosen_layers, layers_of
from influence.models.encoding import encode, pad

TOLERANCE = 1e-5  # of the largest score
LAYERED = ("tracin-second", "tracin-third", "tracin-all")
NAMES = {  # what the methods' names mean, spelt out
    "cnn": {
        "tracin-second": ["convolutions.0"],
        "tracin-third": ["convolutions.1"],
        "tracin-all": ["embedding", "convolutions.0", "convolutions.1", "convolutions.2", "classifier"],
    },
    "bert": {
        "tracin-second": ["bert.encoder.layer.0."],
        "tracin-third": ["bert.encoder.layer.1."],
        "tracin-all": ["bert.embeddings.word_embeddings", "bert.encoder.layer.", "bert.pooler.dense", "classifier"],
    },
}


@pytest.fixture(scope="module", params=["cnn", "bert", "bert-pairs"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = bench(tmp_path_factory.mktemp(request.param), request.param, train=labelled(20, seed=1), test=labelled(5, seed=2))
    made.kind = request.param.split("-")[0]  # type: ignore[attr-defined]
    return made


def parameters(model: Any, prefixes: list[str], *, with_bias: bool) -> list[str]:
    """Names of the weights (and biases) of modules under some prefixes, layer norms left out."""
    kinds = (nn.Linear, nn.Conv1d, nn.Embedding)
    return [
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, kinds) and any(f"{name}.".startswith(prefix) for prefix in prefixes)
        for part, _ in module.named_parameters(recurse=False)
        if part == "weight" or with_bias
    ]


def by_autograd(engine: Bench, names: Any) -> np.ndarray:
    """Σ_c η_c ⟨∇ℓ, ∇ℓ'⟩ over some parameters, one example at a time in float64, shape (M, N)."""
    total: Any = 0.0
    for model, rate in zip(engine.models, engine.learning_rates, strict=True):
        double = doubled(model)
        chosen = [dict(double.named_parameters())[name] for name in names(double)]

        def gradient(row: Any, model: Any = double, chosen: list[torch.Tensor] = chosen) -> np.ndarray:
            found = torch.autograd.grad(loss(model, row), chosen)
            return np.concatenate([part.numpy().ravel() for part in found])

        sides = [[gradient(row) for row in rows_of(engine.encodings[s], engine.labels[s])] for s in ("train", "test")]
        total = total + rate * tracin(*sides)
    return np.asarray(total)


@pytest.mark.parametrize("with_bias", [False, True], ids=["weights", "with bias"])
@pytest.mark.parametrize("method", LAYERED)
def test_layer_methods_equal_autograd_of_those_weights(engine: Bench, method: str, with_bias: bool) -> None:
    prefixes = NAMES[engine.kind][method]  # type: ignore[attr-defined]
    expected = by_autograd(engine, lambda model: parameters(model, prefixes, with_bias=with_bias))
    found = engine.scores(METHODS[method].with_settings(MethodSettings(with_bias=with_bias)))
    assert relative_error(found, expected) < TOLERANCE
    if with_bias:  # which makes a difference, so that the test could fail
        assert relative_error(engine.scores(method), expected) > 100 * TOLERANCE


def test_first_is_the_word_embedding(engine: Bench) -> None:
    np.testing.assert_array_equal(engine.scores("tracin-first"), engine.scores("tracin-we"))


@pytest.mark.parametrize("method", LAYERED)
def test_many_queries_at_once_give_the_scores_of_one_at_a_time(
    engine: Bench, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, queries, sources = METHODS[method], engine.query_list(), engine.sources
    layer = str(chosen.layer), chosen.settings
    alone = np.stack([sources.layer_scores(query, *layer).sum(axis=0) for query in queries])
    told: list[tuple[int, int]] = []
    together = sum(sources.telling(lambda _, done, total: told.append((done, total))).layer_scores_many(queries, *layer))
    assert relative_error(np.asarray(together), alone) < TOLERANCE
    assert told[-1] == (len(engine.models) * 20, len(engine.models) * 20)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    # Held two at a time, made one at a time.
    weights = sum(one.weights for one in chosen_layers(engine.models[0], str(chosen.layer)))
    monkeypatch.setattr(layer_scores, "HELD_BYTES", 8 * weights)
    monkeypatch.setattr(layer_scores, "CHUNK_BYTES", 1)
    assert relative_error(np.asarray(sum(sources.layer_scores_many(queries, *layer))), alone) < TOLERANCE


def test_all_is_the_sum_over_the_layers(engine: Bench) -> None:
    """Every layer alone, by the same pass, and the word embedding from the index."""
    layers = layers_of(engine.models[0])
    total = engine.scores("tracin-first")
    for number in range(len(layers)):
        only = lambda model, which, number=number: [layers_of(model)[number]]  # noqa: E731
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layer_scores, "chosen_layers", only)
            total = total + engine.scores("tracin-second")
    assert relative_error(total, engine.scores("tracin-all")) < TOLERANCE
    last = next(number for number, layer in enumerate(layers) if layer.role == "last")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_scores, "chosen_layers", lambda model, which: [layers_of(model)[last]])
        assert relative_error(engine.scores("tracin-second"), engine.scores("tracin-last")) < TOLERANCE


class Positional(nn.Module):
    """Captum passes tensors in order and takes logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.m = model

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        extra = {"token_type_ids": types} if self.m.config.model_type == "bert" else {}
        return self.m(input_ids=tokens, attention_mask=mask, **extra).logits


@pytest.mark.parametrize("method", ["tracin-second", "tracin-third", "tracin-last"])
def test_layer_methods_with_bias_equal_captum(engine: Bench, method: str) -> None:
    """`TracInCP(layers=…)` takes every parameter of the modules it is given: weight and bias, and nothing else here."""
    prefixes = NAMES[engine.kind].get(method, ["classifier"])  # type: ignore[attr-defined]
    wrapped = Positional(doubled(engine.models[0]))
    modules = [
        f"m.{name}"
        for name, module in wrapped.m.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d) and any(f"{name}.".startswith(prefix) for prefix in prefixes)
    ]
    sides = []
    for split in ("train", "test"):
        encoding = engine.encodings[split]
        batch = pad(encoding, np.arange(len(encoding)), 0)
        types_BL = np.zeros_like(batch.tokens_BL) if batch.types_BL is None else batch.types_BL
        arrays = (batch.tokens_BL, batch.real_BL.astype(np.int64), types_BL, engine.labels[split].astype(np.int64))
        sides.append(tuple(map(torch.from_numpy, arrays)))
    checkpoints = [(doubled(model).state_dict(), rate) for model, rate in zip(engine.models, engine.learning_rates, strict=True)]

    def load(module: Any, checkpoint: Any) -> float:
        module.m.load_state_dict(checkpoint[0])
        return float(checkpoint[1])

    captum = TracInCP(
        wrapped,
        TensorDataset(*sides[0]),
        checkpoints,  # type: ignore[arg-type]
        load,
        layers=modules,
        loss_fn=nn.CrossEntropyLoss(reduction="none"),
        batch_size=4,
    )
    expected = captum.influence(sides[1]).numpy()  # type: ignore[union-attr]
    found = engine.scores(METHODS[method].with_settings(MethodSettings(with_bias=True)))
    assert relative_error(found, expected) < TOLERANCE


def test_scores_do_not_depend_on_batches_and_padding(engine: Bench) -> None:
    chosen = METHODS["tracin-all"]
    expected = engine.scores(chosen)
    for tokens in (1, 40, 10_000):
        sources = engine.sources
        settings = sources.parts.settings()
        object.__setattr__(settings, "batch_tokens", tokens)
        object.__setattr__(sources.parts, "settings", lambda settings=settings: settings)
        found = np.stack([chosen.score(sources, query).sum(axis=0) for query in engine.query_list()])
        assert relative_error(found, expected) < TOLERANCE


# Other kinds of models ---------------------------------------------------------------------------------------------------

BLOCKS = {kind: 1 if kind == "Albert" else 2 for kind in KINDS}  # ALBERT's layers share one block's weights
BARE = {  # the first matrix outside linear layers and convolutions: in a block, in the whole model
    "ConvBert": ("convbert.encoder.layer.{}.attention.self.key_conv_attn_layer.bias", None),
    "Funnel": ("funnel.encoder.blocks.{}.0.attention.r_w_bias", None),
    "XLNet": ("transformer.layer.{}.rel_attn.q", "transformer.mask_emb"),
}


@pytest.fixture(scope="module", params=KINDS)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    tokenizer = word_pieces()
    sides = []
    for seed, n in ((21, 10), (22, 3)):
        examples = labelled(n, seed=seed)
        sides.append((encode(tokenizer, [text for text, _ in examples], None, max_length=30), [label for _, label in examples]))
    made = Bench(
        tmp_path_factory.mktemp(request.param), [make(request.param, len(tokenizer))], [0.25], tokenizer, *sides, top_k=4
    )
    made.kind = request.param  # type: ignore[attr-defined]
    return made


def gradients(engine: Bench, split: str, modules: list[nn.Module], *, with_bias: bool) -> list[np.ndarray]:
    """By autograd, one unpadded example at a time; float32, since some kinds know nothing else."""
    model = engine.models[0].requires_grad_(True)
    chosen = [p for module in modules for name, p in module.named_parameters(recurse=False) if name == "weight" or with_bias]
    found = []
    for row in rows_of(engine.encodings[split], engine.labels[split]):
        logits = model(
            input_ids=torch.tensor([row.tokens]), attention_mask=torch.ones(1, len(row.tokens), dtype=torch.long)
        ).logits
        parts = torch.autograd.grad(nn.functional.cross_entropy(logits, torch.tensor([row.label])), chosen, allow_unused=True)
        found.append(
            np.concatenate(
                [(torch.zeros_like(p) if g is None else g).numpy().ravel() for p, g in zip(chosen, parts, strict=True)]
            )
        )
    model.requires_grad_(False)
    return found


def refused(kind: str, which: str, name: str) -> str | None:
    """What is said of a model without that layer, or with weights whose gradients are not made; None: neither."""
    if which == "third" and BLOCKS[kind] < 2:
        return f"{name} has no third layer; it has 1 block between its word embedding and its last layer"
    if kind not in BARE:
        return None
    in_block, in_all = BARE[kind]
    weight = in_all if which == "all" and in_all else in_block.format(1 if which == "third" else 0)
    return f"{name} has weights outside linear layers and convolutions ({weight}), whose gradients are not made here"


@pytest.mark.parametrize("with_bias", [False, True], ids=["weights", "with bias"])
@pytest.mark.parametrize("which", ["second", "third", "all"])
def test_every_kind_of_model_has_its_layers(other: Bench, which: str, with_bias: bool) -> None:
    """Also where one block serves twice (ALBERT), or a layer is given what all examples share (DeBERTa's positions)."""
    method: Method = METHODS[f"tracin-{which}"].with_settings(MethodSettings(with_bias=with_bias))
    if (why := refused(other.kind, which, type(other.models[0]).__name__)) is not None:  # type: ignore[attr-defined]
        with pytest.raises(QueryError) as caught:
            other.scores(method)
        assert str(caught.value) == f"method 'tracin-{which}': {why}"
        return
    modules = [module for layer in chosen_layers(other.models[0], which) for module in layer.modules]
    sides = [gradients(other, split, modules, with_bias=with_bias) for split in ("train", "test")]
    found = np.stack([other.sources.layer_scores(query, which, method.settings).sum(axis=0) for query in other.query_list()])
    assert relative_error(found, 0.25 * tracin(*sides)) < 1e-4


def test_the_blocks_are_the_encoder_s(other: Bench) -> None:
    layers = layers_of(other.models[0])
    expected = ["second", "last"] if BLOCKS[other.kind] == 1 else ["second", "third", "last"]  # type: ignore[attr-defined]
    assert [layer.role for layer in layers if layer.role] == expected
    weighted = [m for m in other.models[0].modules() if isinstance(m, nn.Linear | nn.Conv1d | transformers.pytorch_utils.Conv1D)]
    assert sorted(map(id, weighted)) == sorted(id(module) for layer in layers for module in layer.modules)


def test_a_convolution_that_cannot_be_unfolded_is_refused(tmp_path: Path) -> None:
    engine = bench(tmp_path, "cnn", train=labelled(4, seed=1), test=labelled(1, seed=2), learning_rates=[1.0])
    engine.models[0].convolutions[0] = nn.Conv1d(12, 10, 5, padding="same", padding_mode="circular")
    with pytest.raises(ModelError, match="a convolution in groups, or not padded by zeros"):
        engine.scores("tracin-second")
