"""Captum's TracIn on the same checkpoints and examples, set up so that it runs as fast as it can.

Its checkpoints are in memory and put into the model by reference, its examples are sorted by length and each batch is
cut to its longest text, dropout is off, and all queries go into one call.
"""

import copy
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from captum.influence import TracInCP, TracInCPFast
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel

from influence.models.encoding import pad
from influence.models.inputs import last_linear
from influence.types import FloatArray
from tests.benchmarks.workload import Split

Checkpoints = list[tuple[dict[str, torch.Tensor], float]]


class _Positional(nn.Module):
    """Captum passes tensors by position and wants logits."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens_BL: torch.Tensor, real_BL: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=tokens_BL, attention_mask=real_BL).logits


class Captum:
    """One of Captum's methods made ready; calling it gives the scores of all training examples, shape (Q, N)."""

    def __init__(
        self,
        kind: type[TracInCP] | type[TracInCPFast],
        models: Sequence[PreTrainedModel],
        learning_rates: Sequence[float],
        *,
        train: Split,
        queries: Split,
        pad_token: int,
        batch_size: int,
    ) -> None:
        model = _Positional(copy.deepcopy(models[0])).eval()
        self._order_N = np.argsort(train.encoding.lengths_N, kind="stable")
        self._queries = _tensors(queries, np.arange(len(queries.encoding)), pad_token)
        common = {
            "train_dataset": DataLoader(_Batches(train, self._order_N, pad_token, batch_size), batch_size=None),
            "checkpoints": [
                ({f"model.{k}": v for k, v in m.state_dict().items()}, lr) for m, lr in zip(models, learning_rates, strict=True)
            ],
            "checkpoints_load_func": _load,
            "batch_size": None,
        }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Setting required grads for layer")
            if kind is TracInCP:
                layer = _name(model, model.model.get_input_embeddings())
                self._tracin = TracInCP(model, layers=[layer], loss_fn=nn.CrossEntropyLoss(reduction="none"), **common)
            else:
                layer = _name(model, last_linear(model.model))
                self._tracin = TracInCPFast(model, layer, loss_fn=nn.CrossEntropyLoss(reduction="sum"), **common)

    def __call__(self) -> FloatArray:
        scores_QN = self._tracin.influence(self._queries).detach().numpy()
        in_order = np.empty_like(scores_QN)
        in_order[:, self._order_N] = scores_QN
        return in_order


class _Batches(Dataset):
    """Padded batches of neighbours in length, made once."""

    def __init__(self, split: Split, order_N: np.ndarray, pad_token: int, batch_size: int) -> None:
        starts = range(0, len(order_N), batch_size)
        self._batches = [_tensors(split, order_N[start : start + batch_size], pad_token) for start in starts]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        return self._batches[index]


def _tensors(split: Split, examples_B: np.ndarray, pad_token: int) -> tuple[torch.Tensor, ...]:
    batch = pad(split.encoding, examples_B, pad_token)
    return (
        torch.from_numpy(batch.tokens_BL),
        torch.from_numpy(batch.real_BL.astype(np.int64)),
        torch.from_numpy(split.labels_N[examples_B].astype(np.int64)),
    )


def _load(model: nn.Module, checkpoint: tuple[dict[str, torch.Tensor], float]) -> float:
    model.load_state_dict(checkpoint[0], assign=True)
    return checkpoint[1]


def _name(model: nn.Module, wanted: nn.Module | None) -> str:
    return next(name for name, module in model.named_modules() if module is wanted)
