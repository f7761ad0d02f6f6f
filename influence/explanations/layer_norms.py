"""Norms of each example's gradients by layer, and how alike the directions are: one pass of a checkpoint over a split.

No gradient of a single example is kept: a norm is made from the layer's inputs and output gradients, and the mean cosine
between all pairs of examples from the sum S of the unit gradients, (‖S‖² − n) / (n (n − 1)).

Axes: N examples, B a batch, L positions, I inputs and O outputs of a layer, U layers, R token rows, D embedding width;
the axis of length 2 is weights, biases.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from influence.formulas import bias_gradients, weight_gradients
from influence.gradients import GradientSettings, Layer, Trace, TracedModel, WordGradients, bias_of, weight_of
from influence.models import Encoding
from influence.types import FloatArray, IntArray, Progress, silent

CHUNK_BYTES = 64 << 20  # gradients made at a time
EMBEDDING = -1  # stands for the word embedding among numbers of layers


class Group(NamedTuple):
    """Layers whose gradients count as one long gradient."""

    name: str
    role: str  # first, second, third, last, all or empty
    layers: tuple[int, ...]  # numbers; EMBEDDING for the word embedding


def groups_of(layers: Sequence[Layer]) -> list[Group]:
    """The word embedding, each layer by itself, and all of them together, without and with the word embedding."""
    numbers = tuple(range(len(layers)))
    alone = [Group(layer.name, layer.role, (number,)) for number, layer in enumerate(layers)]
    together = [Group("all but the word embedding", "", numbers), Group("all", "all", (EMBEDDING, *numbers))]
    return [Group("word embedding", "first", (EMBEDDING,)), *alone, *together]


def squared_norms(
    traced: TracedModel, encoding: Encoding, labels_N: IntArray, *, stage: str, progress: Progress = silent
) -> FloatArray:
    """‖∂ℓ/∂W‖² and ‖∂ℓ/∂b‖² of every example's loss on its label, for each layer, shape (N, U, 2)."""
    squares_NU2 = np.zeros((len(encoding), len(traced.layers), 2))
    done = 0
    for examples_B, traces in traced.batches(encoding, labels_N):
        squares_NU2[examples_B] = _of_batch(traced, traces, len(examples_B))
        done += len(examples_B)
        progress(stage, done, len(encoding))
    return squares_NU2


def _of_batch(traced: TracedModel, traces: dict[nn.Module, Trace], size: int) -> FloatArray:
    squares_BU2 = np.zeros((size, len(traced.layers), 2))
    for number, layer in enumerate(traced.layers):
        for module in layer.modules:
            if module in traces:
                squares_BU2[:, number, 0] += _weight_squares(traces[module]).cpu().numpy()
                if bias_of(module) is not None:
                    squares_BU2[:, number, 1] += bias_gradients(traces[module].deltas_BLO).square().sum(dim=1).cpu().numpy()
    return squares_BU2


def _weight_squares(trace: Trace) -> torch.Tensor:
    """‖Σ_l δ_l a_lᵀ‖² = Σ_lm (a_l·a_m)(δ_l·δ_m), shape (B,), by whichever side is cheaper."""
    inputs_BLI, deltas_BLO = trace
    length, inputs, outputs = inputs_BLI.shape[1], inputs_BLI.shape[2], deltas_BLO.shape[2]
    if length * (inputs + outputs) < inputs * outputs:
        return ((inputs_BLI @ inputs_BLI.mT) * (deltas_BLO @ deltas_BLO.mT)).sum(dim=(1, 2)).clamp(min=0)
    step = max(1, CHUNK_BYTES // (4 * inputs * outputs))
    chunks = [
        weight_gradients(inputs_BLI[at : at + step], deltas_BLO[at : at + step]).square().sum(dim=1)
        for at in range(0, len(inputs_BLI), step)
    ]
    return torch.cat(chunks)


def mean_cosines(
    traced: TracedModel,
    groups: Sequence[Group],
    encoding: Encoding,
    labels_N: IntArray,
    embedding_squares_N: FloatArray,
    model: PreTrainedModel,
    *,
    stage: str,
    progress: Progress = silent,
) -> FloatArray:
    """Mean cosine between the gradients of two examples, −1 to 1, for each group, shape (groups, 2) (section 3.3).

    Over all pairs of different examples whose gradients are not 0; NaN where there is no such pair. `model` is the same
    checkpoint once more, for the pass that makes the gradients at the word embedding.
    """
    sums: dict[tuple[int, int, nn.Module], torch.Tensor] = {}
    inverse_NG2 = np.zeros((len(encoding), len(groups), 2))
    done = 0
    for examples_B, traces in traced.batches(encoding, labels_N):
        squares_BU2 = _of_batch(traced, traces, len(examples_B))
        for number, group in enumerate(groups):
            squares_B2 = squares_BU2[:, [at for at in group.layers if at != EMBEDDING]].sum(axis=1)
            squares_B2[:, 0] += embedding_squares_N[examples_B] if EMBEDDING in group.layers else 0
            inverse_NG2[examples_B, number] = np.divide(1, np.sqrt(squares_B2), where=squares_B2 > 0, out=squares_B2 * 0)
            _add_units(
                sums,
                number,
                [traced.layers[at] for at in group.layers if at != EMBEDDING],
                traces,
                inverse_NG2[examples_B, number],
            )
        done += len(examples_B)
        progress(stage, done, len(encoding))
    found = np.full((len(groups), 2), np.nan)
    for number, group in enumerate(groups):
        for part in (0, 1):
            square = sum(float(total.double().square().sum()) for key, total in sums.items() if key[:2] == (number, part))
            if EMBEDDING in group.layers and part == 0:
                square += _embedding_square(model, traced.settings, encoding, labels_N, inverse_NG2[:, number, 0])
            n = int((inverse_NG2[:, number, part] > 0).sum())
            if n > 1:
                found[number, part] = (square - n) / (n * (n - 1))
    return found


def _add_units(
    sums: dict[tuple[int, int, nn.Module], torch.Tensor],
    group: int,
    layers: Sequence[Layer],
    traces: dict[nn.Module, Trace],
    inverse_B2: FloatArray,
) -> None:
    """Add the unit gradients of a batch to the sums."""
    for module in (module for layer in layers for module in layer.modules if module in traces):
        inputs_BLI, deltas_BLO = traces[module]
        weights_B, biases_B = torch.from_numpy(inverse_B2).to(deltas_BLO).unbind(dim=1)
        units_BLO = deltas_BLO * weights_B[:, None, None]
        totals = [units_BLO.flatten(0, 1).T @ inputs_BLI.flatten(0, 1)]
        if bias_of(module) is not None:
            totals.append((deltas_BLO * biases_B[:, None, None]).sum(dim=(0, 1)))
        for part, total in enumerate(totals):
            key = (group, part, module)
            sums[key] = total if key not in sums else sums[key] + total


def _embedding_square(
    model: PreTrainedModel, settings: GradientSettings, encoding: Encoding, labels_N: IntArray, inverse_N: FloatArray
) -> float:
    """‖Σ unit gradients‖² at the word embedding, with one pass over the examples."""
    total_VD: torch.Tensor | None = None
    with WordGradients(model, settings) as gradients:
        for batch in gradients.batches(encoding, labels_N):
            found_BLD = batch.gradients_BLD
            weights_B = torch.from_numpy(inverse_N[batch.batch.examples_B]).to(found_BLD)
            if total_VD is None:
                total_VD = found_BLD.new_zeros(int(encoding.tokens_R.max()) + 1, found_BLD.shape[2])
            tokens = torch.from_numpy(batch.batch.tokens_BL).to(found_BLD.device)
            total_VD.index_add_(0, tokens.flatten(), (found_BLD * weights_B[:, None, None]).flatten(0, 1))
    return 0.0 if total_VD is None else float(total_VD.double().square().sum())


@torch.no_grad()
def changes(
    before: PreTrainedModel, after: PreTrainedModel, before_layers: Sequence[Layer], after_layers: Sequence[Layer]
) -> FloatArray:
    """‖W' − W‖² and ‖b' − b‖² from one checkpoint to the next, for the word embedding and each layer, shape (1 + U, 2)."""
    words = [model.get_input_embeddings().weight.detach().double() for model in (before, after)]
    squares = [(float((words[1] - words[0]).square().sum()), 0.0)]
    for one, other in zip(before_layers, after_layers, strict=True):
        totals = [0.0, 0.0]
        for left, right in zip(one.modules, other.modules, strict=True):
            totals[0] += float((weight_of(right) - weight_of(left)).double().square().sum())
            biases = bias_of(left), bias_of(right)
            if biases[0] is not None and biases[1] is not None:
                totals[1] += float((biases[1] - biases[0]).double().square().sum())
        squares.append((totals[0], totals[1]))
    return np.array(squares)


def sizes(model: PreTrainedModel, layers: Sequence[Layer]) -> FloatArray:
    """How many weights and biases the word embedding and each layer have, shape (1 + U, 2)."""
    biases = [sum(0 if (bias := bias_of(m)) is None else bias.numel() for m in layer.modules) for layer in layers]
    found = [(layer.weights, count) for layer, count in zip(layers, biases, strict=True)]
    return np.array([(model.get_input_embeddings().weight.numel(), 0), *found])
