"""The check before a build: models that do what a share of a score for every word cannot stand for are refused and named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import bert, labelled, request, word_pieces
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast
from transformers.modeling_outputs import SequenceClassifierOutput

from influence.errors import ModelError
from influence.gradients.self_check import check_model
from influence.models.encoding import Encoding, encode
from influence.models.training import TrainingSettings
from influence.workspace.build import build_workspace

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return word_pieces()


@pytest.fixture(scope="module")
def texts(tokenizer: PreTrainedTokenizerFast) -> tuple[Encoding, np.ndarray]:
    made = labelled(30, seed=3, labels=2)
    return encode(tokenizer, [text for text, _ in made], None, max_length=60), np.array([label for _, label in made])


class Restless(BertForSequenceClassification):
    """Dropout that stays on in eval mode."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        return SequenceClassifierOutput(
            logits=F.dropout(super().forward(input_ids=input_ids, attention_mask=attention_mask).logits, 0.3, training=True)
        )


class Sociable(BertForSequenceClassification):
    """Logits less their mean over the batch."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        logits = super().forward(input_ids=input_ids, attention_mask=attention_mask).logits
        return SequenceClassifierOutput(logits=logits - logits.mean(dim=0) + logits[:1])


class Tied(BertForSequenceClassification):
    """The word embedding is a part of the head, too."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        logits = super().forward(input_ids=input_ids, attention_mask=attention_mask).logits
        rows = input_ids[:, 1]  # a word of the text
        return SequenceClassifierOutput(logits=logits + 3 * self.get_input_embeddings().weight[rows][:, : logits.shape[1]])


class Prompted(BertForSequenceClassification):
    """It reads a token of its own before every text."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        ahead = torch.ones_like(input_ids[:, :1])
        return super().forward(
            input_ids=torch.cat([7 * ahead, input_ids], dim=1), attention_mask=torch.cat([ahead, attention_mask], dim=1)
        )


class Product(BertForSequenceClassification):
    """It multiplies by its word embedding instead of looking words up."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        weight = self.get_input_embeddings().weight
        return super().forward(
            inputs_embeds=F.one_hot(input_ids, len(weight)).to(weight.dtype) @ weight, attention_mask=attention_mask
        )


class Wordless(BertForSequenceClassification):
    """It reads the lengths of texts only."""

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        return SequenceClassifierOutput(logits=self.classifier(self.pooler_of(input_ids)))

    def pooler_of(self, input_ids: torch.Tensor) -> torch.Tensor:
        return torch.full((len(input_ids), self.config.hidden_size), float(input_ids.shape[1]))


class Endless(BertForSequenceClassification):
    """A number for nothing."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        return SequenceClassifierOutput(logits=super().forward(input_ids=input_ids, attention_mask=attention_mask).logits / 0)


FAULTS: dict[type, str] = {
    Restless: "answers the same text otherwise the second time: something in it stays random (dropout?)",
    Sociable: "answers a text otherwise beside others: its examples of a batch are not kept apart",
    Tied: "uses its word embedding for more than looking words up (the gradient by its weights is another), so what a word "
    "adds to a score is not known",
    Prompted: "looks up other tokens than those of the text, so a word has no gradient of its own",
    Product: "does not look words up in its word embedding, so there is no gradient of a word",
    Wordless: "does not read its word embedding, so there is no gradient of a word",
    Endless: "does not answer a text with a number for each label",
}


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_what_a_model_does_is_named(kind: Any, tokenizer: PreTrainedTokenizerFast, texts: tuple[Encoding, np.ndarray]) -> None:
    model = kind(bert(len(tokenizer), 2, seed=0).config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
        with pytest.raises(ModelError) as caught:
            check_model(model, *texts, CPU)
    assert str(caught.value) == f"{kind.__name__} {FAULTS[kind]}"


def test_a_sound_model_passes_and_is_left_as_it_was(
    tokenizer: PreTrainedTokenizerFast, texts: tuple[Encoding, np.ndarray]
) -> None:
    model = bert(len(tokenizer), 2, seed=0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_model(model, *texts, CPU, longest=encode(tokenizer, ["good film " * 40], None, max_length=64))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.get_input_embeddings()._forward_hooks


def test_a_text_may_not_be_longer_than_the_model_has_positions(
    tokenizer: PreTrainedTokenizerFast, texts: tuple[Encoding, np.ndarray]
) -> None:
    model, long = bert(len(tokenizer), 2, seed=0), encode(tokenizer, ["good film " * 40], None, max_length=70)
    with pytest.raises(ModelError) as caught:
        check_model(model, *texts, CPU, longest=long)
    assert str(caught.value).startswith("BertForSequenceClassification cannot read a text of 70 tokens (")
    assert str(caught.value).endswith("); a smaller --max-length may help")


def spoil_types(folder: Path, tokenizer: PreTrainedTokenizerFast) -> str:
    """A model with one token type under a tokenizer that makes two."""
    model = bert(len(tokenizer), 2, seed=0)
    model.bert.embeddings.token_type_embeddings.weight = torch.nn.Parameter(torch.zeros(1, 16))
    model.config.type_vocab_size = 1
    model.save_pretrained(folder)
    tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer.save_pretrained(folder)
    return "the tokenizer makes token type 1, the model has only 1 of them: they do not belong together"


@pytest.mark.parametrize("spoil", [spoil_types])
def test_a_build_is_refused_before_it_trains(
    data: dict[str, str], tmp_path: Path, spoil: Callable[[Path, PreTrainedTokenizerFast], str]
) -> None:
    message = spoil(tmp_path / "model", word_pieces())
    training = TrainingSettings(epochs=1, learning_rate=1e-3, optimizer="adamw", batch_size=16)
    seen: list[str] = []
    with pytest.raises(ModelError) as caught:
        build_workspace(
            tmp_path / "workspace",
            request(data, pairs=True, model=str(tmp_path / "model"), training=training),
            progress=lambda stage, *_: seen.append(str(stage)),
        )
    assert str(caught.value) == message
    assert seen[-1] == "check the model"
