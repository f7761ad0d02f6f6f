"""Gradients of each example's own loss by the weights of a layer, made batch by batch and never all held.

What a layer is (section 3.3: "the first layer is the token embedding, the second layer is the convolution layer, and the
last layer is a fully connected layer"):

    first    the word embedding; its gradients are in the index, so this module leaves it out
    second   the first of the model's row of blocks: the CNN's first convolution, a transformer's first encoder block
             (all linear layers in it: attention and feed-forward)
    third    the second of those blocks
    last     the linear layer that makes the logits
    all      the word embedding and every convolution and linear layer, also a pooler

Gains of layer norms and position embeddings are no weights of a layer here.

The gradient of a linear layer is Σ_l δ_l a_lᵀ over the positions l, with a the layer's input and δ the loss gradient at
its output; a convolution is the same over the stretches of input that it sees. So one forward and backward a batch
gives what is needed, and the gradients themselves (B·P numbers) are made from it a few examples at a time.

Axes: B a batch, L positions, I inputs and O outputs of a layer, P = O·I its weights, N training examples, M queries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from influence.errors import ModelError, QueryError
from influence.formulas import logit_gradients
from influence.gradients.positions import GradientSettings, HookedModel, Outputs
from influence.models import Batch, Encoding, last_linear, of_one_length
from influence.types import IntArray

WEIGHTED = (nn.Linear, nn.Conv1d, Conv1D)
ORDINALS = {"second": 0, "third": 1}  # of the blocks


@dataclass(frozen=True)
class Layer:
    """One or several modules with weights that count as one layer; `role` is second, third, last or empty."""

    name: str
    role: str
    modules: tuple[nn.Module, ...]

    @property
    def weights(self) -> int:
        """How many weights it has, biases left out."""
        return sum(weight_of(module).numel() for module in self.modules)


def layers_of(model: PreTrainedModel) -> list[Layer]:
    """The layers of a classifier in its own order, the last one last, the word embedding left out."""
    row, last = _blocks(model), last_linear(model)
    inside = {module for _, block in row for module in _weighted(block)}
    roles = {name: role for role, at in ORDINALS.items() for name, _ in row[at : at + 1]}
    blocks, found = dict(row), []
    for name, module in model.named_modules():
        if name in blocks:
            found.append(Layer(name, roles.get(name, ""), tuple(_weighted(module))))
        elif isinstance(module, WEIGHTED) and module not in inside:
            found.append(Layer(name, "last" if module is last else "", (module,)))
    return sorted(found, key=lambda layer: layer.role == "last")


def chosen_layers(model: PreTrainedModel, which: str, method: str | None = None) -> list[Layer]:
    """The layers that second, third, last or all names. Raises `QueryError` where the model has no such layer.

    `method` is named in the message; TracIn on that layer where none is given.
    """
    method = method or f"tracin-{which}"
    layers = layers_of(model)
    chosen = layers if which == "all" else [layer for layer in layers if layer.role == which]
    if not chosen:
        have = len(_blocks(model))
        raise QueryError(
            f"method {method!r}: {type(model).__name__} has no {which} layer; it has {have} "
            f"block{'' if have == 1 else 's'} between its word embedding and its last layer"
        )
    if (bare := _bare_weights(model, None if which == "all" else chosen[0].name)) is not None:
        raise QueryError(
            f"method {method!r}: {type(model).__name__} has weights outside linear layers and convolutions ({bare}), "
            "whose gradients are not made here"
        )
    return chosen


def _bare_weights(model: PreTrainedModel, layer: str | None) -> str | None:
    """The name of a matrix in that layer (None: anywhere) that belongs to no module of `WEIGHTED` and no table; None: none."""
    for name, module in model.named_modules():
        if not isinstance(module, (*WEIGHTED, nn.Embedding)) and (layer is None or f"{name}.".startswith(f"{layer}.")):
            for own, parameter in module.named_parameters(recurse=False):
                if parameter.ndim > 1:
                    return f"{name}.{own}"
    return None


def _blocks(model: PreTrainedModel) -> list[tuple[str, nn.Module]]:
    """The longest row of modules that all have weights, by name: convolutions or encoder blocks."""
    best: list[tuple[str, nn.Module]] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) > len(best) and all(_weighted(child) for child in module):
            best = [(f"{name}.{number}", child) for number, child in enumerate(module)]
    return best


def _weighted(module: nn.Module) -> list[nn.Module]:
    return [found for found in module.modules() if isinstance(found, WEIGHTED)]


def weight_of(module: nn.Module) -> torch.Tensor:
    """The weight of a layer's module."""
    weight: torch.Tensor = module.weight  # type: ignore[assignment]  # one of WEIGHTED
    return weight


class Trace(NamedTuple):
    """One module in one batch; all its calls one after the other along L."""

    inputs_BLI: torch.Tensor
    deltas_BLO: torch.Tensor


Traces = dict[nn.Module, Trace]


class _Call(NamedTuple):
    module: nn.Module
    inputs: torch.Tensor
    output: torch.Tensor


class TracedModel(HookedModel):
    """A classifier whose layers' inputs and output gradients are kept, batch by batch."""

    def __init__(self, model: PreTrainedModel, layers: Sequence[Layer], settings: GradientSettings) -> None:
        super().__init__(model, settings)
        self.layers = list(layers)
        self._calls: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self._handles += [module.register_forward_hook(self._keep) for layer in layers for module in layer.modules]

    def _keep(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if not output.requires_grad:  # the first layer on the way: what lies before it needs no gradient
            output = output.detach().requires_grad_(True)
        self._calls.setdefault(module, []).append((inputs[0].detach(), output))
        return output.clone()  # which the model may change in place, as DeBERTa does

    def batches(
        self, encoding: Encoding, labels_N: IntArray, examples_E: IntArray | None = None
    ) -> Iterator[tuple[IntArray, Traces]]:
        """Example numbers and traces for the loss of every example, or of those given, on its label, in no particular order."""
        for batch in self.parts(encoding, examples_E):
            yield batch.examples_B, self.of_batch(batch, labels_N[batch.examples_B])

    def parts(self, encoding: Encoding, examples_E: IntArray | None = None) -> Iterator[Batch]:
        """Every example, or those given, in batches that `of_batch` and `roots_of_batch` can take."""
        apart = self._keeps_examples_apart(encoding)
        for batch in self.in_batches(encoding, examples_E):
            examples_B = batch.examples_B
            for part_B in [examples_B] if apart else np.split(examples_B, len(examples_B)):
                yield of_one_length(encoding, part_B)

    def _keeps_examples_apart(self, encoding: Encoding) -> bool:
        """Whether a layer's inputs and outputs are a row an example: some are shared, or have the batch along another axis.

        Else the gradients must be made one example at a time. Tried on two: no other axis of a text of three or more is 2.
        """
        longest = int(encoding.lengths_N.argmax())
        if encoding.lengths_N[longest] < 3:
            return False
        self._calls.clear()
        self.forward(of_one_length(encoding, np.array([longest, longest])), np.array([0, 0]))
        return all(inputs.shape[0] == output.shape[0] == 2 for made in self._calls.values() for inputs, output in made)

    def of_batch(self, batch: Batch, labels_B: IntArray) -> Traces:
        """The traces of examples of one length; of one example where the model does not keep them apart."""
        outputs, calls = self._forward(batch, labels_B)
        return _traces(calls, outputs.backward([call.output for call in calls]), len(labels_B))

    def roots_of_batch(self, batch: Batch) -> Iterator[Traces]:
        """For each label y the traces of √p_y ∂(Σ_z p_z f_z − f_y)/∂W, f the logits, p fixed.

        The sum over y of their outer products with themselves is Jᵀ (diag p − p pᵀ) J: the Gauss–Newton part of each
        example's Hessian, and all of it where the logits are piecewise linear in the weights.
        """
        outputs, calls = self._forward(batch, np.zeros(len(batch.tokens_BL), dtype=np.int64))
        p_BY = outputs.probabilities_BY
        for label in range(p_BY.shape[1]):
            given_BY = np.sqrt(p_BY[:, [label]]) * logit_gradients(p_BY, np.full(len(p_BY), label))
            yield _traces(calls, outputs.backward([call.output for call in calls], given_BY, again=True), len(p_BY))

    def _forward(self, batch: Batch, labels_B: IntArray) -> tuple[Outputs, list[_Call]]:
        self._calls.clear()
        outputs = self.forward(batch, labels_B)
        calls = [_Call(module, *call) for module, made in self._calls.items() for call in made]
        self._calls.clear()
        return outputs, calls


def _traces(calls: Sequence[_Call], deltas: Sequence[torch.Tensor | None], size: int) -> Traces:
    traces: dict[nn.Module, list[Trace]] = {}
    for (module, inputs, _), delta in zip(calls, deltas, strict=True):
        if delta is not None:
            traces.setdefault(module, []).append(_unfolded(module, inputs, delta, size))
    return {
        module: made[0] if len(made) == 1 else Trace(*(torch.cat(parts, dim=1) for parts in zip(*made, strict=True)))
        for module, made in traces.items()
    }


def _unfolded(module: Any, inputs: torch.Tensor, delta: torch.Tensor, size: int) -> Trace:
    """A call as a linear layer sees it: positions along L, and for a convolution the stretch of input before each."""
    if not isinstance(module, nn.Conv1d):
        return Trace(inputs.reshape(size, -1, inputs.shape[-1]), delta.reshape(size, -1, delta.shape[-1]))
    if module.groups != 1 or module.padding_mode != "zeros":
        raise ModelError(f"a convolution in groups, or not padded by zeros ({module}): its gradients cannot be made here")
    (width,), (step,), (stride,) = module.kernel_size, module.dilation, module.stride
    total = {"same": step * (width - 1), "valid": 0}[module.padding] if isinstance(module.padding, str) else 2 * module.padding[0]
    padded = F.pad(inputs, (total // 2, total - total // 2)).unsqueeze(2)
    stretches_BIL = F.unfold(padded, (1, width), dilation=(1, step), stride=(1, stride))
    return Trace(stretches_BIL.transpose(1, 2), delta.transpose(1, 2))


def bias_of(module: nn.Module) -> torch.Tensor | None:
    """The bias of a layer's module; None where it has none."""
    found = getattr(module, "bias", None)
    return found if isinstance(found, torch.Tensor) else None
