"""The Hessian H of the mean loss by the weights of a layer, and solving (H + damping·I) x = g with it (app. D, "Inf-Sec").

Off the last layer H may have negative eigenvalues, damped or not, and of a transformer's block it is far too large for memory.
Two ways:

    explicit    A CNN's logits are piecewise linear in the weights of one layer (ReLU, max pooling). Then H is exactly the mean
                of Jᵀ (diag p − p pᵀ) J, J = ∂logits/∂W: positive semidefinite, made by one backward pass a label and
                factorised by Cholesky. Taken up to `EXPLICIT_WEIGHTS` weights where a product with H itself, on some
                examples, agrees with it.
    iterative   Everything else: MINRES, which needs only products with H (two backward passes over the training set, for
                all queries together) and no definiteness; see `formulas.minres`.

In float64 whatever the model is in: what is divided by the smallest eigenvalues takes the rounding of the largest with it.

Axes: B a batch, N training examples, E distinct ones, P weights (with biases if wanted), M vectors, Y labels.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from influence.errors import QueryError
from influence.formulas import bias_gradients, check_damping, damped_solver, minres, weight_gradients
from influence.gradients.layers import TracedModel, Traces, bias_of, chosen_layers, weight_of
from influence.gradients.positions import GradientSettings
from influence.models import Batch, Encoding, few_examples, model_inputs
from influence.types import FloatArray, IntArray, Progress, silent

EXPLICIT_WEIGHTS = 7_000  # up to here H is a matrix in memory (392 MB)
SAME_PRODUCT = 1e-6  # relative; of float64, so that what is no rounding is seen
SOLVED_TO = 1e-7  # residual ‖(H + damping) x − g‖ / ‖g‖ at which MINRES stops, by its own reckoning
ACCEPTED = 1e-5  # the one that is measured in the end: a model that norms in float32, as Llama does, has products of its rounding
MOST_PRODUCTS = 1_000  # of MINRES, before it gives up
CHUNK_BYTES = 64 << 20  # gradients made at a time

Solve = Callable[[FloatArray, Progress], FloatArray]


class LayerCurvature:
    """A layer's loss gradients and Hessian over a training set, in float64. `counts_E`: how many examples each stands for.

    Raises `QueryError` where the model has no such layer or its weights cannot all be seen.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        layer: str,
        settings: GradientSettings,
        training: tuple[Encoding, IntArray],
        alike: tuple[IntArray, IntArray],
        *,
        with_bias: bool,
    ) -> None:
        self.method = f"influence-{layer}"
        chosen_layers(model, layer, self.method)  # refused before a copy is made
        settings = GradientSettings(device=settings.device, batch_tokens=settings.batch_tokens)  # no bf16 here
        double = copy.deepcopy(model).double()
        self._settings = settings
        self._encoding, self._labels_N = training
        self._examples_E, self._counts_E = alike
        self._n = int(self._counts_E.sum())
        self._layers = chosen_layers(double, layer, self.method)
        self._model = double.eval().requires_grad_(False).to(settings.device)
        modules = [module for one in self._layers for module in one.modules]
        self._parts = [(module, weight_of(module), False) for module in modules]
        if with_bias:
            self._parts += [(module, bias, True) for module in modules if (bias := bias_of(module)) is not None]
        self.size = sum(weight.numel() for _, weight, _ in self._parts)

    def gradient(self, batch: Batch, labels_B: IntArray) -> FloatArray:
        """∂ℓ/∂W of each example of a batch, shape (B, P); as in `TracedModel`, of one example where those are not apart."""
        with TracedModel(self._model, self._layers, self._settings) as traced:
            return self._rows(traced.of_batch(batch, labels_B), 0, len(labels_B)).cpu().numpy()

    def products(self, directions_MP: FloatArray, progress: Progress = silent) -> FloatArray:
        """⟨∂ℓ_i/∂W, direction⟩ of every distinct training example, shape (M, E)."""
        places = {example: place for place, example in enumerate(self._examples_E.tolist())}
        directions, products_ME = self._tensor(directions_MP), np.zeros((len(directions_MP), len(self._examples_E)))
        done = 0
        with TracedModel(self._model, self._layers, self._settings) as traced:
            for examples_B, traces in traced.batches(self._encoding, self._labels_N, self._examples_E):
                places_B = [places[example] for example in examples_B.tolist()]
                products_BM = torch.cat([rows_XP @ directions.T for rows_XP in self._chunks(traces, len(examples_B))])
                products_ME[:, places_B] = products_BM.cpu().numpy().T
                done += len(examples_B)
                progress(f"{self.method}: the gradients of the training set", done, len(self._examples_E))
        return products_ME

    def solver(self, damping: float, progress: Progress = silent) -> Solve:
        """A function that turns gradients (M, P) into (H + damping·I)⁻¹ gradient, by the way that this layer allows.

        It raises `QueryError` where MINRES has not come to `ACCEPTED`. The explicit one holds no model and may be kept.
        """
        if self.explicit:
            solve = damped_solver(self.matrix(progress), damping)
            return lambda gradients_MP, _: solve(gradients_MP)
        return lambda gradients_MP, told: self._iterated(gradients_MP, damping, told)

    @cached_property
    def explicit(self) -> bool:
        """Whether H is made as a matrix."""
        return self.size <= EXPLICIT_WEIGHTS and self.is_gauss_newton()

    def is_gauss_newton(self) -> bool:
        """Whether H is Jᵀ (diag p − p pᵀ) J, tried by a product on a few examples of different lengths."""
        some_E = few_examples(self._encoding.lengths_N[self._examples_E])
        vector_1P = np.random.default_rng(0).standard_normal((1, self.size))
        weights_N = self._weights(some_E)
        wanted_1P, found = self.hessian_products(vector_1P, some_E), self._tensor(np.zeros_like(vector_1P))
        vector = self._tensor(vector_1P)
        for rows_XP in self._roots(weights_N, self._examples_E[some_E]):
            found += (vector @ rows_XP.T) @ rows_XP
        return bool(np.abs(found.cpu().numpy() - wanted_1P).max() <= SAME_PRODUCT * max(np.abs(wanted_1P).max(), 1e-30))

    def matrix(self, progress: Progress = silent) -> FloatArray:
        """Jᵀ (diag p − p pᵀ) J, its mean over the training set, shape (P, P)."""
        hessian_PP = self._tensor(np.zeros((self.size, self.size)))
        for rows_XP in self._roots(self._weights(), self._examples_E, progress):
            hessian_PP.addmm_(rows_XP.T, rows_XP)
        return hessian_PP.cpu().numpy()

    def hessian_products(
        self, vectors_MP: FloatArray, some_E: IntArray | None = None, progress: Callable[[], None] = lambda: None
    ) -> FloatArray:
        """H v of every vector, shape (M, P), by differentiating the loss twice; `some_E`: what those examples add to it."""
        chosen_E = np.arange(len(self._examples_E)) if some_E is None else some_E
        weights_N, vectors = self._weights(some_E), [self._split(self._tensor(row)) for row in vectors_MP]
        wanted = [weight for _, weight, _ in self._parts]
        total_MP = self._tensor(np.zeros_like(vectors_MP))
        with TracedModel(self._model, [], self._settings) as plain, sdpa_kernel(SDPBackend.MATH):  # the others have no second one
            _free(wanted, free=True)
            try:
                for batch in plain.in_batches(self._encoding, self._examples_E[chosen_E]):
                    gradients = self._loss_gradients(batch, weights_N, wanted)
                    for row, vector in enumerate(vectors):
                        total_MP[row] += self._joined(_differentiated(gradients, vector, wanted))
                    progress()
            finally:
                _free(wanted, free=False)
        return total_MP.cpu().numpy()

    def _loss_gradients(self, batch: Batch, weights_N: FloatArray, wanted: list[torch.Tensor]) -> list[torch.Tensor | None]:
        """∂/∂W of the batch's part of the mean loss, which can be differentiated again."""
        labels_B, weights_B = self._labels_N[batch.examples_B].astype(np.int64), self._tensor(weights_N[batch.examples_B])
        logits_BY = self._model(**model_inputs(self._model, batch, self._settings.device)).logits.double()
        losses_B = F.cross_entropy(logits_BY, torch.from_numpy(labels_B).to(logits_BY.device), reduction="none")
        return list(torch.autograd.grad(losses_B @ weights_B, wanted, create_graph=True, allow_unused=True))

    def _iterated(self, gradients_MP: FloatArray, damping: float, progress: Progress) -> FloatArray:
        stage, percent, passes = f"{self.method}: solving with the Hessian", 0, 0

        def times(vectors_MP: FloatArray) -> FloatArray:
            nonlocal passes
            passes += 1
            product_MP = self.hessian_products(vectors_MP, progress=lambda: progress(stage, percent, 100))
            check_damping(damping, float((np.linalg.norm(product_MP, axis=1) / np.linalg.norm(vectors_MP, axis=1)).max()))
            return product_MP + damping * vectors_MP

        def tell(residual: float) -> None:
            nonlocal percent
            percent = 99 if residual <= SOLVED_TO else int(99 * np.log(residual) / np.log(SOLVED_TO))

        solved = minres(times, gradients_MP, residual=SOLVED_TO, most=MOST_PRODUCTS, tell=tell)
        progress(stage, 100, 100)
        if solved.residual > ACCEPTED:
            lowest = solved.lowest - damping  # of the Hessian without it
            reason = f"the Hessian has an eigenvalue of {lowest:.2g}; " if solved.lowest < 0 else ""
            raise QueryError(
                f"method {self.method!r}: after {passes:,} products with the Hessian the residual is "
                f"{solved.residual:.1e}, not {ACCEPTED:.0e}; {reason}take a --damping above {max(damping, -lowest):.2g}"
            )
        return solved.found_MX

    def _weights(self, some_E: IntArray | None = None) -> FloatArray:
        """What each example's loss counts in the mean: copies count with the first; shape (N,), 0 for all but the chosen."""
        weights_N = np.zeros(len(self._labels_N))
        chosen_E = slice(None) if some_E is None else some_E
        weights_N[self._examples_E[chosen_E]] = self._counts_E[chosen_E] / self._n
        return weights_N

    def _roots(self, weights_N: FloatArray, examples_E: IntArray, progress: Progress = silent) -> Iterator[torch.Tensor]:
        """Rows (X, P) whose outer products sum to Jᵀ (diag p − p pᵀ) J; see `TracedModel.roots_of_batch`."""
        done = 0
        with TracedModel(self._model, self._layers, self._settings) as traced:
            for batch in traced.parts(self._encoding, examples_E):
                roots_B = self._tensor(np.sqrt(weights_N[batch.examples_B]))
                for traces in traced.roots_of_batch(batch):
                    yield from self._chunks(traces, len(batch.examples_B), roots_B)
                done += len(batch.examples_B)
                progress(f"{self.method}: the Hessian", done, len(examples_E))

    def _chunks(self, traces: Traces, count: int, factors_B: torch.Tensor | None = None) -> Iterator[torch.Tensor]:
        step = max(1, CHUNK_BYTES // (8 * self.size))
        for at in range(0, count, step):
            rows_XP = self._rows(traces, at, min(at + step, count))
            yield rows_XP if factors_B is None else rows_XP * factors_B[at : at + step, None]

    def _rows(self, traces: Traces, start: int, stop: int) -> torch.Tensor:
        """Gradients of some examples of a batch, shape (X, P), in the order of `_parts`."""
        made = []
        for module, weight, is_bias in self._parts:
            if module not in traces:
                made.append(weight.new_zeros(stop - start, weight.numel()))
                continue
            inputs_XLI, deltas_XLO = (values[start:stop] for values in traces[module])
            made.append(bias_gradients(deltas_XLO) if is_bias else weight_gradients(inputs_XLI, deltas_XLO))
        return torch.cat(made, dim=1)

    def _split(self, vector_P: torch.Tensor) -> list[torch.Tensor]:
        """A vector in the order of `_rows` as tensors of the weights' own shapes."""
        pieces = torch.split(vector_P, [weight.numel() for _, weight, _ in self._parts])
        return [
            piece.view(weight.T.shape).T if _stored_transposed(module, weight) else piece.view(weight.shape)
            for piece, (module, weight, _) in zip(pieces, self._parts, strict=True)
        ]

    def _joined(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """The opposite of `_split`."""
        return torch.cat(
            [
                (tensor.T if _stored_transposed(module, weight) else tensor).flatten()
                for tensor, (module, weight, _) in zip(tensors, self._parts, strict=True)
            ]
        )

    def _tensor(self, array: FloatArray) -> torch.Tensor:
        return torch.from_numpy(np.array(array, dtype=np.float64)).to(self._settings.device)


def _stored_transposed(module: Any, weight: torch.Tensor) -> bool:
    return isinstance(module, Conv1D) and weight.ndim == 2  # GPT-2's layers keep their weights as (I, O)


def _free(weights: list[torch.Tensor], *, free: bool) -> None:
    for weight in weights:
        weight.requires_grad_(free)


def _differentiated(
    gradients: list[torch.Tensor | None], vector: list[torch.Tensor], wanted: list[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """∂/∂W ⟨gradient, v⟩ = H v; 0 for weights on which the gradient does not hang."""
    inner = sum(
        ((gradient * part).sum() for gradient, part in zip(gradients, vector, strict=True) if gradient is not None),
        start=torch.zeros((), dtype=torch.float64, device=wanted[0].device),
    )
    if not inner.requires_grad:
        return tuple(torch.zeros_like(weight) for weight in wanted)
    found = torch.autograd.grad(inner, wanted, retain_graph=True, allow_unused=True)
    return tuple(torch.zeros_like(weight) if one is None else one for one, weight in zip(found, wanted, strict=True))
