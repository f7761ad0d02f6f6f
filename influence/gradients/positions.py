"""Gradients of each example's own loss by the rows of the word embedding that it reads, one forward and backward a batch.

Every parameter is frozen and the loss gradients at the logits of a whole batch go backward at once, so what reaches the rows
looked up holds each example's position gradients g_i whole (no example touches another's), and no parameter gradient is made.
The loss itself is never differentiated: p − 1 would lose its digits where the model is sure. A batch is of examples of one
length, so nothing is padded: many a model's output hangs on its padding, whatever the mask says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from influence.errors import ModelError, SettingsError
from influence.formulas import logit_gradients
from influence.gradients.lookups import WordLookups
from influence.models import (
    BATCH_TOKENS,
    Batch,
    Encoding,
    check_tokens,
    last_linear,
    length_buckets,
    model_inputs,
    of_one_length,
)
from influence.types import FloatArray, IntArray

SAME_LOGITS = {False: 1e-3, True: 0.05}  # of the largest one, in float32 and under bf16
NO_TOKEN = -1  # no token is padding, since no batch has any


class BatchGradients(NamedTuple):
    """What one batch yields; B examples, L positions, D embedding width, Y labels, H width of the last layer's input."""

    batch: Batch
    gradients_BLD: torch.Tensor  # d loss / d the embedding's row, as looked up at each position; zero at padding
    probabilities_BY: FloatArray
    losses_B: FloatArray  # cross-entropy in nats
    features_BH: FloatArray | None  # input of the last linear layer; None where a model has none per example
    deltas_BY: FloatArray  # d loss / d logits = probabilities - one-hot label


class Outputs(NamedTuple):
    """What a forward pass ends in, and what its backward pass begins with."""

    logits_BY: torch.Tensor  # from which gradients flow back
    probabilities_BY: FloatArray
    losses_B: FloatArray
    deltas_BY: FloatArray

    def backward(
        self, wanted: Sequence[torch.Tensor], given_BY: FloatArray | None = None, *, again: bool = False
    ) -> tuple[torch.Tensor | None, ...]:
        """d loss / d tensor of each example's own loss, summed over the batch; None of a tensor that is not on the way.

        `given_BY` stands in for the loss gradient at the logits; `again`: it is to be asked once more.
        """
        given = torch.from_numpy(self.deltas_BY if given_BY is None else given_BY).to(self.logits_BY.device)
        return torch.autograd.grad(self.logits_BY, wanted, given, retain_graph=again, allow_unused=True)


@dataclass(frozen=True, kw_only=True)
class GradientSettings:
    """How gradients are computed; none of it changes what they estimate."""

    device: torch.device
    batch_tokens: int | None = None
    bf16: bool = False

    def __post_init__(self) -> None:
        check_precision(self.device, bf16=self.bf16)


class HookedModel:
    """A classifier made ready to be asked for gradients: eval mode, frozen, hooked; use as a context manager."""

    def __init__(self, model: PreTrainedModel, settings: GradientSettings) -> None:
        self.model = model.eval().requires_grad_(False).to(settings.device)
        if getattr(model.config, "pad_token_id", None) is None:  # decoders then take one example at a time only
            model.config.pad_token_id = NO_TOKEN
        self.settings = settings
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def in_batches(self, encoding: Encoding, examples_E: IntArray | None = None) -> Iterator[Batch]:
        """Every example once, or each of those given, in batches of one length, in no particular order."""
        tokens = self.settings.batch_tokens or BATCH_TOKENS[self.settings.device.type]
        chosen_E = np.arange(len(encoding)) if examples_E is None else examples_E
        for places_B in length_buckets(encoding.lengths_N[chosen_E], batch_tokens=tokens):
            yield of_one_length(encoding, chosen_E[places_B])

    def forward(self, batch: Batch, labels_B: IntArray) -> Outputs:
        """Logits of a batch and all that follows from them. Raises `ModelError` for a token the model does not know."""
        check_tokens(self.model, batch.tokens_BL, batch.types_BL)
        device = self.settings.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.settings.bf16):
            logits_BY = self.model(**model_inputs(self.model, batch, device)).logits
        logits_BY = _at_least_float32(logits_BY)
        labels_B = np.asarray(labels_B, dtype=np.int64)
        probabilities_BY = _numpy(logits_BY.detach().softmax(dim=1))
        losses_B = _numpy(F.cross_entropy(logits_BY.detach(), torch.from_numpy(labels_B).to(device), reduction="none"))
        return Outputs(logits_BY, probabilities_BY, losses_B, logit_gradients(probabilities_BY, labels_B))


class WordGradients(HookedModel):
    """A classifier whose position gradients, and inputs of the last linear layer, are had batch by batch."""

    def __init__(self, model: PreTrainedModel, settings: GradientSettings) -> None:
        super().__init__(model, settings)
        self._lookups = WordLookups(model)
        self._handles += self._lookups.handles
        self._last, self._calls = last_linear(model), list[tuple[torch.Tensor, torch.Tensor]]()
        if self._last is not None:
            self._handles.append(self._last.register_forward_hook(self._keep_call))

    def _keep_call(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        self._calls.append((inputs[0].detach(), output))

    def batches(self, encoding: Encoding, labels_N: IntArray, examples_E: IntArray | None = None) -> Iterator[BatchGradients]:
        """Gradients of the loss of every example, or of those given, on its label in `labels_N`, in no particular order."""
        for batch in self.in_batches(encoding, examples_E):
            yield self.of_batch(batch, labels_N[batch.examples_B])

    def of_batch(self, batch: Batch, labels_B: IntArray) -> BatchGradients:
        """Gradients of one padded batch. Raises `ModelError` for a token the model does not know, or a loss that is no number."""
        self._lookups.clear()
        self._calls.clear()
        outputs = self.forward(batch, labels_B)
        if not np.isfinite(outputs.losses_B).all():
            raise ModelError("the loss of this checkpoint is not a number: its training diverged; use a smaller --learning-rate")
        rows = self._lookups.rows
        features_BH = self._last_features(outputs.logits_BY)
        gradients = outputs.backward(rows)
        tokens_BL, real_BL = (torch.from_numpy(part).to(rows[0].device) for part in (batch.tokens_BL, batch.real_BL))
        gradients_BLD = self._lookups.at_positions(gradients, tokens_BL).float()
        return BatchGradients(
            batch,
            gradients_BLD if batch.real_BL.all() else gradients_BLD * real_BL.unsqueeze(2),
            outputs.probabilities_BY,
            outputs.losses_B,
            None if features_BH is None else _numpy(features_BH),
            outputs.deltas_BY,
        )

    def _last_features(self, logits_BY: torch.Tensor) -> torch.Tensor | None:
        """What the last linear layer made the logits of, shape (B, H); None where they are not its output.

        A decoder's layer stands at every position and the logits are its output at one of them: their gradient by it is 1
        there and 0 elsewhere, so it picks the input there.
        """
        if self._last is None or len(self._calls) != 1:
            return None
        inputs, output = self._calls[0]
        if output.ndim == 3 and len(output) == len(logits_BY):
            (picked_BLY,) = torch.autograd.grad(logits_BY[:, 0].sum(), [output], retain_graph=True)
            inputs = (picked_BLY[:, :, :1].to(inputs.dtype) * inputs).sum(dim=1)
        if inputs.ndim != 2 or len(inputs) != len(logits_BY):
            return None
        made_BY, found_BY = F.linear(inputs.float(), self._last.weight, self._last.bias), logits_BY.detach()
        error = (made_BY - found_BY).abs().max() / found_BY.abs().max().clamp(min=1)
        return inputs if bool(error < SAME_LOGITS[self.settings.bf16]) else None


def check_precision(device: torch.device, *, bf16: bool) -> None:
    """Raise `SettingsError` for bf16 autocast on a device that has none."""
    if bf16 and device.type != "cuda":
        raise SettingsError("--precision bf16 needs a CUDA device; leave it out on the CPU")


def _at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _numpy(tensor: torch.Tensor) -> FloatArray:
    return _at_least_float32(tensor).cpu().numpy()
