"""Gradients of each example's own loss at the output of the word embedding, one forward and backward a batch.

The loss is summed over the batch and every parameter is frozen, so the gradient that reaches the embedding's output
holds each example's position gradients g_i whole (no example touches another's), and no parameter gradient is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from influence.errors import ModelError, SettingsError
from influence.formulas import logit_gradients
from influence.models import BATCH_TOKENS, Batch, Encoding, check_tokens, last_linear, length_buckets, model_inputs, pad
from influence.types import FloatArray, IntArray


class BatchGradients(NamedTuple):
    """What one batch yields; B examples, L positions, D embedding width, Y labels, H width of the last layer's input."""

    batch: Batch
    gradients_BLD: torch.Tensor  # d loss / d embedding output; zero at padding
    probabilities_BY: FloatArray
    losses_B: FloatArray  # cross-entropy in nats
    features_BH: FloatArray | None  # input of the last linear layer; None where a model has none per example
    deltas_BY: FloatArray  # d loss / d logits = probabilities - one-hot label


@dataclass(frozen=True, kw_only=True)
class GradientSettings:
    """How gradients are computed; none of it changes what they estimate."""

    device: torch.device
    pad_token: int
    batch_tokens: int | None = None
    bf16: bool = False

    def __post_init__(self) -> None:
        check_precision(self.device, bf16=self.bf16)


class HookedModel:
    """A classifier made ready to be asked for gradients: eval mode, frozen, hooked; use as a context manager."""

    def __init__(self, model: PreTrainedModel, settings: GradientSettings) -> None:
        self.model = model.eval().requires_grad_(False).to(settings.device)
        self.settings = settings
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def padded(self, encoding: Encoding) -> Iterator[Batch]:
        """Every example once, in batches of similar length, in no particular order."""
        tokens = self.settings.batch_tokens or BATCH_TOKENS[self.settings.device.type]
        for examples_B in length_buckets(encoding.lengths_N, batch_tokens=tokens):
            yield pad(encoding, examples_B, self.settings.pad_token)

    def forward(self, batch: Batch, labels_B: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and losses of a batch, shapes (B, Y) and (B,). Raises `ModelError` for a token the model does not know."""
        check_tokens(self.model, batch.tokens_BL)
        device = self.settings.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.settings.bf16):
            logits_BY = self.model(**model_inputs(self.model, batch, device)).logits
        logits_BY = logits_BY.float()
        labels = torch.from_numpy(np.asarray(labels_B, dtype=np.int64)).to(device)
        return logits_BY, F.cross_entropy(logits_BY, labels, reduction="none")


class WordGradients(HookedModel):
    """A classifier whose position gradients, and inputs of the last linear layer, are had batch by batch."""

    def __init__(self, model: PreTrainedModel, settings: GradientSettings) -> None:
        super().__init__(model, settings)
        self._leaves: list[torch.Tensor] = []
        self._features: list[torch.Tensor] = []
        self._handles.append(model.get_input_embeddings().register_forward_hook(self._replace_output))
        last = last_linear(model)
        if last is not None:
            self._handles.append(last.register_forward_pre_hook(self._keep_input))

    def _replace_output(self, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        leaf = output.detach().requires_grad_(True)
        self._leaves.append(leaf)
        return leaf

    def _keep_input(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._features.append(inputs[0].detach())

    def batches(self, encoding: Encoding, labels_N: IntArray) -> Iterator[BatchGradients]:
        """Gradients of every example's loss on its label in `labels_N`, in no particular order."""
        for batch in self.padded(encoding):
            yield self.of_batch(batch, labels_N[batch.examples_B])

    def of_batch(self, batch: Batch, labels_B: IntArray) -> BatchGradients:
        """Gradients of one padded batch. Raises `ModelError` for a token the model does not know, or a loss that is no number."""
        self._leaves.clear()
        self._features.clear()
        logits_BY, losses_B = self.forward(batch, labels_B)
        if len(self._leaves) != 1:
            raise ModelError(
                f"{type(self.model).__name__} looks up its word embedding {len(self._leaves)} times a sentence; "
                "Wordtrace needs a classifier that does so once (an encoder)"
            )
        if not bool(losses_B.isfinite().all()):
            raise ModelError("the loss of this checkpoint is not a number: its training diverged; use a smaller --learning-rate")
        (gradients_BLD,) = torch.autograd.grad(losses_B.sum(), self._leaves)
        probabilities_BY = _numpy(logits_BY.detach().softmax(dim=1))
        real_BL1 = torch.from_numpy(batch.real_BL).to(gradients_BLD.device).unsqueeze(2)
        return BatchGradients(
            batch,
            gradients_BLD.float() * real_BL1,
            probabilities_BY,
            _numpy(losses_B.detach()),
            self._last_features(len(labels_B)),
            logit_gradients(probabilities_BY, labels_B),
        )

    def _last_features(self, size: int) -> FloatArray | None:
        # A model that applies its head at every position has no single last-layer input per example.
        if len(self._features) != 1 or self._features[0].ndim != 2 or len(self._features[0]) != size:
            return None
        return _numpy(self._features[0])


def check_precision(device: torch.device, *, bf16: bool) -> None:
    """Raise `SettingsError` for bf16 autocast on a device that has none."""
    if bf16 and device.type != "cuda":
        raise SettingsError("--precision bf16 needs a CUDA device; leave it out on the CPU")


def _numpy(tensor: torch.Tensor) -> FloatArray:
    return tensor.float().cpu().numpy()
