"""Fine-tuning one run, or many runs of one seed as one batched model; the same arithmetic either way.

Runs of one seed share their batches, so the inputs are shared too and only weights, labels and the examples that count
have an axis of runs. A removed example stays in its batch with weight zero and the loss is the mean over the others, so
a run differs from its control by the change alone: same batches, same order, and same dropout where it is trained alone.
Trained together, all runs of a seed share their dropout too.

Axes: T runs trained together (left out for a single one), B batch, Y labels, M test examples.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from influence.errors import ModelError
from influence.models import BATCH_TOKENS, CnnForSequenceClassification, epoch_seed, length_buckets, shuffled_batches
from influence.retraining.change import Change
from influence.retraining.fast_cnn import cnn_logits
from influence.retraining.lazy_embedding import LazyRows, RowLookup
from influence.retraining.recipe import Inputs, Recipe, Tokens, is_plain_table
from influence.types import FloatArray

Weights = dict[str, torch.Tensor]


class Trainees:
    """The weights of one run or of many, with their optimizer."""

    def __init__(self, recipe: Recipe, seed: int, runs: int | None, *, frozen: bool) -> None:
        self.recipe, self.runs = recipe, runs
        self.settings = recipe.settings(seed)
        self.model = recipe.new_model(seed).train()
        table = self.model.get_input_embeddings()
        plain = is_plain_table(self.model)  # else the model's own embedding does more than look up
        if plain:
            self._lookup = table = RowLookup(table.padding_idx, table.weight.data)
            self.model.set_input_embeddings(table)
        self._words = next(name for name, p in self.model.named_parameters() if p is table.weight)
        self.weights: Weights = {name: self._copies(p.data) for name, p in self.model.named_parameters()}
        lazy = plain and self.settings.optimizer == "sgd" and not frozen
        self._rows = LazyRows(self.weights.pop(self._words), self.settings, recipe.steps + 1) if lazy else None
        trained = [name for name in self.weights if not (frozen and name == self._words)]
        self._trained = [self.weights[name].requires_grad_(runs is None) for name in trained]
        self._names = trained if self._rows is None else [*trained, self._words]
        self._optimizer = _optimizer(self._trained, self.settings)
        self._step = 0

    def _copies(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.clone() if self.runs is None else weight.expand(self.runs, *weight.shape).clone()

    def step(self, inputs: Inputs, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """One optimizer step; `counts` are the examples' weights. Returns the loss of every run, summed over the batch."""
        self._step += 1
        weights = self._read(inputs)
        wanted = {name: weights[name] for name in self._names}
        given = {name: weight for name, weight in weights.items() if name not in wanted}
        found, losses = self._gradients(wanted, given, inputs, labels, counts)
        with torch.no_grad():
            for weight, name in zip(self._trained, self._names, strict=False):
                weight.grad = found[name].contiguous()  # the fused optimizer reads memory as it lies
            self._optimizer.step()
            if self._rows is not None:
                self._rows.update(weights[self._words].detach(), found[self._words], self._step)
        return losses

    def _read(self, inputs: Inputs) -> Weights:
        """All weights as they stand before the step; of a lazily kept table only the rows that the batch reads."""
        if self._rows is None:
            return self.weights
        used_U = np.unique(inputs.tokens_BL.cpu().numpy())
        rows = self._rows.read(used_U, self._step)
        self._lookup.places_V[torch.from_numpy(used_U).to(rows.device)] = torch.arange(len(used_U), device=rows.device)
        return {**self.weights, self._words: rows.requires_grad_(self.runs is None and torch.is_grad_enabled())}

    def _gradients(
        self, wanted: Weights, given: Weights, inputs: Inputs, labels: torch.Tensor, counts: torch.Tensor
    ) -> tuple[Weights, torch.Tensor]:
        def loss(wanted: Weights, given: Weights, inputs: Inputs, labels_B: Any, counts_B: Any) -> tuple[Any, Any]:
            losses_B = F.cross_entropy(self._logits({**wanted, **given}, inputs), labels_B, reduction="none") * counts_B
            return losses_B.sum() / counts_B.sum().clamp(min=1), losses_B.detach().sum()

        if self.runs is None:
            mean, total = loss(wanted, given, inputs, labels, counts)
            return dict(zip(wanted, torch.autograd.grad(mean, list(wanted.values())), strict=True)), total
        shared = 0 if inputs.tokens_BL.ndim == 3 else None
        together = vmap(grad_and_value(loss, has_aux=True), in_dims=(0, 0, shared, 0, 0), randomness="same")
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels cannot have an axis of runs
            found, (_, totals) = together(wanted, given, inputs, labels, counts)
        return found, totals

    def _logits(self, weights: Weights, inputs: Inputs) -> torch.Tensor:
        if isinstance(self.model, CnnForSequenceClassification):
            places_BL = self._lookup.places_V[inputs.tokens_BL]
            return cnn_logits(weights, places_BL, inputs.real_BL, len(self.model.convolutions))
        output = functional_call(self.model, weights, (), self.recipe.named(self.model, inputs))
        logits: torch.Tensor = output.logits
        return logits

    @torch.no_grad()
    def predict(self, tokens: Tokens, examples_M: Sequence[int]) -> FloatArray:
        """Label probabilities in eval mode, shape (M, Y), or (T, M, Y) for runs trained together."""
        self._step += 1  # a step ahead of the last: every row is read as the last step left it
        self.model.eval()
        wanted_M = np.asarray(examples_M, dtype=np.int64)
        found = np.zeros((*(() if self.runs is None else (self.runs,)), len(wanted_M), len(self.recipe.names)), np.float32)
        device = self.recipe.device
        for rows_B in length_buckets(tokens.lengths_N[wanted_M], batch_tokens=4 * BATCH_TOKENS[device.type]):
            inputs = tokens.inputs(wanted_M[rows_B], device)
            weights = self._read(inputs)
            if self.runs is None:
                logits = self._logits(weights, inputs)
            else:
                with sdpa_kernel(SDPBackend.MATH):
                    logits = vmap(lambda own, inputs=inputs: self._logits(own, inputs))(weights)
            found[..., rows_B, :] = logits.float().softmax(dim=-1).cpu().numpy()
        return found


def fine_tune(
    recipe: Recipe,
    seed: int,
    changes: Sequence[Change],
    *,
    tests: Sequence[int],
    together: bool,
    frozen: bool = False,
    step: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Train runs of one seed and return their probabilities of some test examples, shape (T, M, Y).

    One change unless `together`. `step` is called before every optimizer step and may raise to stop. Raises `ModelError`
    when the loss of a run stops being a number.
    """
    device, settings = recipe.device, recipe.settings(seed)
    labels = _of_runs([recipe.train_labels(change) for change in changes], together, device)
    counts = _of_runs([recipe.train_weights(change) for change in changes], together, device)
    tokens = [recipe.train_tokens(change) for change in changes]
    same = all(one is tokens[0] for one in tokens)
    trainees = Trainees(recipe, seed, len(changes) if together else None, frozen=frozen)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for epoch in range(1, (settings.epochs or 0) + 1):
            torch.manual_seed(epoch_seed(seed, epoch))
            totals = torch.zeros(counts.shape[:-1], dtype=torch.float64, device=device)
            for examples_B in shuffled_batches(recipe.train.lengths_N, settings, epoch=epoch):
                step()
                inputs = tokens[0].inputs(examples_B, device) if same else _stacked(tokens, examples_B, device)
                at_B = torch.from_numpy(examples_B).to(device)
                totals += trainees.step(inputs, labels[..., at_B], counts[..., at_B])
            if not bool(totals.isfinite().all()):
                raise ModelError(f"retraining diverged in epoch {epoch} of seed {seed}: the loss is not a number any more")
    found = trainees.predict(recipe.test, tests)
    return found if together else found[None]


def _of_runs(arrays: Sequence[Any], together: bool, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays) if together else arrays[0]).to(device)


def _stacked(tokens: Sequence[Tokens], examples_B: Any, device: torch.device) -> Inputs:
    """The batch of every run, for texts that differ between them, padded alike: shape (T, B, L)."""
    inputs = [one.inputs(examples_B, device) for one in tokens]
    longest, left = max(one.tokens_BL.shape[1] for one in inputs), tokens[0].pad_left
    pads = (tokens[0].pad_token, 0, 0)
    return Inputs(
        *(
            torch.stack([F.pad(part, (0, longest - part.shape[1])[:: -1 if left else 1], value=pad) for part in parts])
            for parts, pad in zip(zip(*inputs, strict=True), pads, strict=True)
        )
    )


def _optimizer(weights: list[torch.Tensor], settings: Any) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=rate, momentum=settings.momentum, weight_decay=decay)
    return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True)
