"""TracIn on the weights of a layer: one pass of a checkpoint over the training set for many queries at once.

Score = η ⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ over the weights of the chosen layers, with or without their biases (eq. 2, sections 3.2, 3.3);
above 0 for a proponent. As many queries are held at a time as their gradients (M·P numbers) would fit; those of training
examples are made a few at a time, if at all. Cost for each training example and checkpoint: one forward and backward, and
per layer the smaller of 2·P·(L + M) and 2·M·L²·(I + O) operations.

Axes as in `layers`; C checkpoints.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from influence.attribution.index import WordIndex
from influence.attribution.query import Query
from influence.formulas import (
    bias_gradients,
    gradient_products,
    layer_products,
    leave_one_out_scores,
    tracin_term,
    weight_gradients,
)
from influence.gradients import GradientSettings, LayerCurvature, Trace, TracedModel, bias_of, chosen_layers
from influence.models import NO_TYPES, Batch
from influence.types import FloatArray, Progress, silent

HELD_BYTES = 512 << 20  # gradients of the queries
SOLVED_AT_ONCE = 8  # vectors as long as a gradient that MINRES keeps for a query
CHUNK_BYTES = 64 << 20  # gradients of training examples made at a time


def layer_scores(
    model: Callable[[int], PreTrainedModel],
    settings: GradientSettings,
    index: WordIndex,
    queries: Sequence[Query],
    layer: str,
    *,
    with_bias: bool,
    progress: Progress = silent,
) -> Iterator[FloatArray]:
    """Scores of every example of the index for every query, one checkpoint after the other, shape (M, N) each.

    `layer` is second, third, last or all; `model` loads a checkpoint. Raises `QueryError` where the model has no such layer.
    """
    stage = f"tracin-{layer}: the training set through every checkpoint"
    distinct_E, rates = index.alike.distinct_E, index.learning_rates_C.tolist()
    n = len(distinct_E)
    for number, rate in enumerate(rates):
        loaded = model(number)
        layers = chosen_layers(loaded, layer)
        size = max(1, HELD_BYTES // (4 * sum(one.weights for one in layers)))
        blocks = [queries[start : start + size] for start in range(0, len(queries), size)]
        scores_MN = np.zeros((len(queries), len(index.encoding)))
        with TracedModel(loaded, layers, settings) as traced:
            for at, block in enumerate(blocks):
                done, rows = (number * len(blocks) + at) * n, slice(at * size, at * size + len(block))
                held = _Held(traced, block, with_bias=with_bias)
                for examples_B, traces in traced.batches(index.encoding, index.labels_N, distinct_E):
                    scores_MN[rows, examples_B] = tracin_term(rate, held.products(traces).cpu().numpy().T)
                    done += len(examples_B)
                    progress(stage, done, len(rates) * len(blocks) * n)
        yield index.alike.tie(scores_MN)


def curvature_of(
    model: PreTrainedModel, settings: GradientSettings, index: WordIndex, layer: str, *, with_bias: bool
) -> LayerCurvature:
    """The Hessian of a layer over the training set of an index, examples alike counted and made once."""
    alike = index.alike.distinct_E, np.bincount(index.alike.first_N, minlength=len(index.encoding))[index.alike.distinct_E]
    training = index.encoding, np.asarray(index.labels_N)
    return LayerCurvature(model, layer, settings, training, alike, with_bias=with_bias)


def layer_influence(
    curvature: LayerCurvature,
    solve: Callable[[FloatArray, Progress], FloatArray],
    index: WordIndex,
    queries: Sequence[Query],
    *,
    progress: Progress = silent,
) -> FloatArray:
    """(1/n) ∇ℓ(x)ᵀ (H + damping)⁻¹ ∇ℓ(x′) by a layer's weights, shape (M, N); `solve` is one of `LayerCurvature.solver`."""
    scores_MN = np.zeros((len(queries), len(index.encoding)))
    size = max(1, HELD_BYTES // (8 * SOLVED_AT_ONCE * curvature.size))
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        gradients = [curvature.gradient(batch_of(query), np.array([query.label])) for query in block]
        products_ME = curvature.products(solve(np.concatenate(gradients), progress), progress)
        scores_MN[start : start + size, index.alike.distinct_E] = leave_one_out_scores(products_ME, len(index.encoding))
    return index.alike.tie(scores_MN)


class _Held:
    """The layers' inputs and output gradients of some queries, ready to be multiplied with those of training examples.

    Either way gives the same number: ⟨Σ_l δ_l a_lᵀ, Σ_m δ'_m a'_mᵀ⟩ = Σ_lm (a_l·a'_m)(δ_l·δ'_m). For few positions the
    right-hand side is cheaper, and makes no gradient at all; for many queries the left-hand side is.
    """

    def __init__(self, traced: TracedModel, queries: Sequence[Query], *, with_bias: bool) -> None:
        found = [traced.of_batch(batch_of(query), np.array([query.label])) for query in queries]
        self.modules = [module for layer in traced.layers for module in layer.modules if any(module in one for one in found)]
        self.count, self.with_bias = len(queries), with_bias
        self.traces = {module: [one.get(module) for one in found] for module in self.modules}
        self.positions = {module: _positions(traces) for module, traces in self.traces.items()}
        self.weights: dict[nn.Module, torch.Tensor] = {}  # made where the left-hand side is cheaper

    def products(self, traces: dict[nn.Module, Trace]) -> torch.Tensor:
        """⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ of a batch of training examples with the queries, shape (B, M)."""
        products = (self._of_module(module, traces[module]) for module in self.modules if module in traces)
        return sum(products, start=torch.zeros(()))

    def _of_module(self, module: nn.Module, trace: Trace) -> torch.Tensor:
        inputs_TI, deltas_TO, owners_T = self.positions[module]
        length, inputs, outputs = trace.inputs_BLI.shape[1], inputs_TI.shape[1], deltas_TO.shape[1]
        if length * len(owners_T) * (inputs + outputs) < inputs * outputs * (length + self.count):
            pairs_BLT = layer_products(*trace, inputs_TI, deltas_TO)
            products_BM = _by_owner(pairs_BLT.sum(dim=1), owners_T, self.count)
        else:
            if module not in self.weights:
                self.weights[module] = _stacked(self.traces[module])
            step = max(1, CHUNK_BYTES // (4 * inputs * outputs))
            chunks = [
                gradient_products(weight_gradients(*(values[at : at + step] for values in trace)), self.weights[module])
                for at in range(0, len(trace.inputs_BLI), step)
            ]
            products_BM = torch.cat(chunks)
        if self.with_bias and bias_of(module) is not None:
            pairs_BT = gradient_products(bias_gradients(trace.deltas_BLO), deltas_TO)
            products_BM = products_BM + _by_owner(pairs_BT, owners_T, self.count)
        return products_BM


def _positions(traces: Sequence[Trace | None]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The positions of some queries one after the other: inputs (T, I), output gradients (T, O), whose each is (T,)."""
    there = [(number, trace) for number, trace in enumerate(traces) if trace is not None]
    owners = [torch.full((trace.inputs_BLI.shape[1],), number, device=trace.inputs_BLI.device) for number, trace in there]
    inputs, deltas = ([trace[side][0] for _, trace in there] for side in (0, 1))
    return torch.cat(inputs), torch.cat(deltas), torch.cat(owners)


def _by_owner(values_BT: torch.Tensor, owners_T: torch.Tensor, count: int) -> torch.Tensor:
    return torch.zeros(len(values_BT), count, device=values_BT.device).index_add_(1, owners_T, values_BT)


def _stacked(traces: Sequence[Trace | None]) -> torch.Tensor:
    rows = [None if trace is None else weight_gradients(*trace) for trace in traces]
    empty = next(torch.zeros_like(row) for row in rows if row is not None)
    return torch.cat([empty if row is None else row for row in rows])


def batch_of(query: Query) -> Batch:
    """A query as a batch of one."""
    tokens_1L = query.tokens_L[None].astype(np.int64)
    types_1L = None if query.types_L is None or NO_TYPES in query.types_L else query.types_L[None].astype(np.int64)
    return Batch(np.array([0]), tokens_1L, np.ones(tokens_1L.shape, dtype=np.bool_), types_1L)
