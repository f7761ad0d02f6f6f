"""How a workspace's model was trained, ready to be repeated many times: tokens in memory, and a small word table.

Only the word pieces in use (in training, test and changed texts) get a row in the embedding table: a piece that no
text holds never gets a gradient and is never read, so leaving it out changes nothing and makes every step cheaper.

Axes: N training examples, M test examples, R token rows, V rows of the small table, B and L a padded batch.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from influence.files import load_array
from influence.models import (
    CNN,
    NO_TYPES,
    Encoding,
    TrainingSettings,
    check_tokens,
    few_examples,
    first_token_is_enough,
    load_tokenizer,
    named_inputs,
    new_classifier,
    padding_of,
    padding_token,
    read_first_token_only,
)
from influence.retraining.change import Change
from influence.retraining.masked_texts import masked_rows
from influence.types import FloatArray, IntArray
from influence.workspace import WorkspaceReader


class Inputs(NamedTuple):
    """A padded batch on the device."""

    tokens_BL: torch.Tensor
    real_BL: torch.Tensor
    types_BL: torch.Tensor


@dataclass(frozen=True)
class Tokens:
    """Token rows of examples in the numbers of the small table."""

    offsets_N1: IntArray
    tokens_R: IntArray
    types_R: IntArray
    pad_token: int
    pad_left: bool = False

    @property
    def lengths_N(self) -> IntArray:
        """How many tokens each example has."""
        return np.diff(self.offsets_N1)

    def inputs(self, examples_B: IntArray, device: torch.device) -> Inputs:
        """Some examples, padded to the longest."""
        starts_B = self.offsets_N1[examples_B]
        lengths_B = self.offsets_N1[examples_B + 1] - starts_B
        longest = int(lengths_B.max())
        columns_BL = np.arange(longest) - (longest - lengths_B)[:, None] * self.pad_left
        inside_BL = (columns_BL >= 0) & (columns_BL < lengths_B[:, None])
        rows_BL = np.where(inside_BL, starts_B[:, None] + columns_BL, 0)
        arrays = (
            np.where(inside_BL, self.tokens_R[rows_BL], self.pad_token).astype(np.int64),
            inside_BL.astype(np.int64),
            np.where(inside_BL, self.types_R[rows_BL], 0).astype(np.int64),
        )
        return Inputs(*(torch.from_numpy(array).to(device) for array in arrays))

    def with_rows(self, changed: Mapping[int, IntArray]) -> "Tokens":
        """The same with other tokens for some examples, as many as these had."""
        if not changed:
            return self
        tokens_R = self.tokens_R.copy()
        for row, tokens in changed.items():
            tokens_R[self.offsets_N1[row] : self.offsets_N1[row + 1]] = tokens
        return replace(self, tokens_R=tokens_R)


class Recipe:
    """A workspace's data and training recipe in memory; every run made from it repeats the workspace's own training."""

    def __init__(self, workspace: WorkspaceReader, changes: list[Change], device: torch.device) -> None:
        self.training = TrainingSettings(**workspace.info.settings["training"])
        self.device, self.names = device, workspace.info.labels
        self._model, self._layers = workspace.info.model, workspace.info.settings["num_hidden_layers"]
        self.tokenizer = load_tokenizer(str(workspace.build / "checkpoints" / "tokenizer"))
        self._changed = masked_rows(workspace, [one for change in changes for one in change.masked])
        train, test = (Encoding.load(workspace.build / "index" / split / "encoding") for split in ("train", "test"))
        self.labels_N = np.array(load_array(workspace.build / "index" / "train" / "labels.npy"), dtype=np.int64)
        changed = list(self._changed.values())
        self.typed = NO_TYPES not in train.types_R[:1]
        model = self._new_model(0)
        check_tokens(model, train.tokens_R, train.types_R)
        self.pad_token, self.pad_left, _ = padding_of(model, self.tokenizer, train)
        self.used_V = _used_tokens([train.tokens_R, test.tokens_R, *changed], self.pad_token, model)
        self._small_V = np.zeros(int(self.used_V.max()) + 1, dtype=np.int64)
        self._small_V[self.used_V] = np.arange(len(self.used_V))
        self.train, self.test = self._tokens(train), self._tokens(test)
        if not self._small_table_agrees(model):  # a model that treats some token numbers in a way of their own
            self.used_V = np.arange(len(model.get_input_embeddings().weight))
            self._small_V = self.used_V
            self.train, self.test = self._tokens(train), self._tokens(test)
        self.first_token_only = device.type == "cpu" and self._first_token_is_enough(model)  # a GPU draws other dropout
        self._initial: tuple[int, PreTrainedModel] | None = None
        self.is_cnn = self._model == CNN
        self.bytes = sum(4 * weight.numel() for weight in self._with_small_table(model).parameters())  # of one run's weights

    def _tokens(self, encoding: Encoding) -> Tokens:
        tokens_R = self._small_V[np.asarray(encoding.tokens_R)]
        rows = tokens_R, np.asarray(encoding.types_R)
        return Tokens(np.asarray(encoding.offsets_N1), *rows, self.pad_token, self.pad_left)

    def train_tokens(self, change: Change) -> Tokens:
        """The training examples with a change's words masked."""
        rows = {}
        for row, words in change.masked:
            rows[row] = self._small_V[self._changed[row, words]]
        return self.train.with_rows(rows)

    def train_labels(self, change: Change) -> IntArray:
        """The training labels with a change's labels put in, shape (N,)."""
        labels_N = self.labels_N.copy()
        for row, label in change.relabelled:
            labels_N[row] = label
        return labels_N

    def train_weights(self, change: Change) -> FloatArray:
        """1 for every training example, 0 for a removed one, shape (N,)."""
        weights_N = np.ones(len(self.labels_N), dtype=np.float32)
        weights_N[list(change.removed)] = 0
        return weights_N

    def new_model(self, seed: int) -> PreTrainedModel:
        """The classifier with the initial weights of a seed and the small word table; a copy of its own."""
        if self._initial is None or self._initial[0] != seed:
            self._initial = (seed, self._with_small_table(self._new_model(seed)))
        model = copy.deepcopy(self._initial[1])
        if self.first_token_only:
            read_first_token_only(model)
        return model.to(self.device)

    @property
    def steps(self) -> int:
        """Optimizer steps of one run."""
        return (self.training.epochs or 0) * -(-len(self.labels_N) // self.training.batch_size)

    def settings(self, seed: int) -> TrainingSettings:
        """The workspace's training settings with another seed."""
        return replace(self.training, seed=seed)

    def _new_model(self, seed: int) -> PreTrainedModel:
        size = len(self.tokenizer)
        model = new_classifier(self._model, self.names, seed=seed, vocabulary=size, num_hidden_layers=self._layers)
        padding_token(model, self.tokenizer)
        return model

    def _with_small_table(self, model: PreTrainedModel) -> PreTrainedModel:
        whole = model.get_input_embeddings()
        if len(self.used_V) < len(whole.weight):
            rows_VD = whole.weight.data[torch.from_numpy(self.used_V)]
            model.set_input_embeddings(nn.Embedding.from_pretrained(rows_VD, freeze=False, padding_idx=whole.padding_idx))  # type: ignore[no-untyped-call]
        return model

    def named(self, model: PreTrainedModel, inputs: Inputs) -> dict[str, torch.Tensor]:
        """The keyword arguments of a classifier's forward pass."""
        return named_inputs(model, inputs.tokens_BL, inputs.real_BL, inputs.types_BL if self.typed else None)

    def _few_inputs(self) -> Inputs:
        return self.train.inputs(few_examples(self.train.lengths_N), torch.device("cpu"))

    @torch.no_grad()
    def _small_table_agrees(self, model: PreTrainedModel) -> bool:
        """Whether the model gives the same logits for a few texts with the small table."""
        inputs = self._few_inputs()
        whole = inputs._replace(tokens_BL=torch.from_numpy(self.used_V)[inputs.tokens_BL])
        expected = model.eval()(**self.named(model, whole)).logits
        found = self._with_small_table(copy.deepcopy(model)).eval()(**self.named(model, inputs)).logits
        return torch.allclose(expected, found, rtol=1e-5, atol=1e-5)

    def _first_token_is_enough(self, model: PreTrainedModel) -> bool:
        """Whether the model is a BERT that reads the first token only, and gives the same logits with nothing else computed."""
        whole = self._with_small_table(copy.deepcopy(model))
        return first_token_is_enough(whole, self.named(model, self._few_inputs()))


def is_plain_table(model: PreTrainedModel) -> bool:
    """Whether the word embedding looks rows up and does nothing else, in one place of the model."""
    table = model.get_input_embeddings()
    places = sum(parameter is table.weight for module in model.modules() for parameter in module.parameters(recurse=False))
    return type(table) is nn.Embedding and places == 1


def _used_tokens(arrays: list[IntArray], pad_token: int, model: PreTrainedModel) -> IntArray:
    """Token numbers in use, in rising order, the padding token at its own number; all numbers where that is impossible."""
    table = model.get_input_embeddings()
    used = np.unique(np.concatenate([np.unique(array) for array in arrays]))
    used = used[used != pad_token]
    if not is_plain_table(model) or table.padding_idx not in (None, pad_token) or pad_token > len(used):
        return np.arange(len(table.weight))
    return np.insert(used, pad_token, pad_token).astype(np.int64)
