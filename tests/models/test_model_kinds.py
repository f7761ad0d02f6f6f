"""Any Hugging Face classifier with one word embedding: the same code path, checked against autograd for each kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from model_kinds import KINDS, make
from oracles import relative_error, rows_of, tracin
from tiny import Bench, labelled, word_pieces

from influence.errors import ModelError
from influence.gradients.positions import GradientSettings, WordGradients
from influence.models.encoding import encode
from influence.models.inputs import last_linear
from influence.models.model import longest_input

HEADS = ("classifier", "classifier.out_proj", "classification_head.out_proj", "classifier.linear_out", "logits_proj", "score")


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    tokenizer = word_pieces()
    sides = []
    for seed, n in ((21, 10), (22, 4)):
        examples = labelled(n, seed=seed)
        texts = [text for text, _ in examples]
        sides.append((encode(tokenizer, texts, None, max_length=30), [label for _, label in examples]))
    model = make(request.param, len(tokenizer))
    model.kind = request.param
    return Bench(tmp_path_factory.mktemp(request.param), [model], [0.25], tokenizer, *sides, top_k=4)


def plain_logits(model: Any, tokens: list[int]) -> torch.Tensor:
    return model(input_ids=torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens), dtype=torch.long)).logits  # type: ignore[no-any-return]


def embedding_gradient(model: Any, tokens: list[int], label: int) -> np.ndarray:
    """By the embedding matrix, one unpadded example, no hook; float32, since some kinds know nothing else."""
    model.requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(plain_logits(model, tokens), torch.tensor([label]))
    (gradient,) = torch.autograd.grad(loss, [model.get_input_embeddings().weight])
    return gradient.numpy()


def test_tracin_we_equals_autograd_over_the_embedding_matrix(engine: Bench) -> None:
    model = engine.models[0]
    sides = [
        [embedding_gradient(model, row.tokens, row.label) for row in rows_of(engine.encodings[split], engine.labels[split])]
        for split in ("train", "test")
    ]
    assert relative_error(engine.scores("tracin-we"), 0.25 * tracin(*sides)) < 1e-4


def test_tracin_last_equals_autograd_of_the_layer_that_makes_the_logits(engine: Bench) -> None:
    model = engine.models[0]
    last = next(module for name, module in reversed(list(model.named_modules())) if name.endswith(HEADS))
    sides = []
    for split in ("train", "test"):
        gradients = []
        for row in rows_of(engine.encodings[split], engine.labels[split]):
            loss = torch.nn.functional.cross_entropy(plain_logits(model, row.tokens), torch.tensor([row.label]))
            gradients.append(torch.autograd.grad(loss, [last.weight.requires_grad_(True)])[0].numpy())
        sides.append(gradients)
    assert relative_error(engine.scores("tracin-last"), 0.25 * tracin(*sides)) < 1e-4


def test_a_decoder_that_begins_with_a_token_of_its_own_is_refused() -> None:
    """Its share of a score would belong to no word."""
    tokenizer = word_pieces()
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=3,
        decoder_start_token_id=0, num_labels=2,
    )  # fmt: skip
    model = transformers.T5ForSequenceClassification(config)
    encoding = encode(tokenizer, ["good film"], None, max_length=9)
    settings = GradientSettings(device=torch.device("cpu"))
    with WordGradients(model, settings) as gradients, pytest.raises(ModelError) as caught:
        next(gradients.batches(encoding, np.array([0])))
    assert str(caught.value) == (
        "T5ForSequenceClassification begins its decoder with token 0, which is no word of the text, so its share of a score "
        "belongs to no word; use a model that is an encoder or a decoder alone"
    )


@pytest.mark.parametrize(("kind", "longest"), [("Bert", 64), ("Roberta", 63), ("MPNet", 62), ("ModernBert", 64)])
def test_the_longest_input_is_what_a_model_takes(tmp_path: Path, kind: str, longest: int) -> None:
    """RoBERTa's kind counts positions from the padding token's id on, so it takes fewer than it has."""
    model = make(kind, 50)
    model.save_pretrained(tmp_path)
    assert longest_input(str(tmp_path)) == longest
    ones = torch.ones(1, longest, dtype=torch.long)
    model(input_ids=5 * ones, attention_mask=ones)
    if kind != "ModernBert":  # rotary positions: a limit of its training, not of its weights
        more = torch.ones(1, longest + 1, dtype=torch.long)
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=5 * more, attention_mask=more)


def test_the_last_linear_layer_is_the_one_that_makes_the_logits() -> None:
    """Also where another layer happens to be as wide."""
    model = make("Roberta", 50)
    assert last_linear(model) is model.classifier.out_proj
    assert last_linear(make("Bert", 50)).out_features == 3  # type: ignore[union-attr]
