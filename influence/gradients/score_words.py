"""Which words of a training example a score through the last layer hangs on, where the method itself has no words.

Such a score is s(x) = Σ_yh δ_y(x) M_yh a_h(x), with δ the loss gradient at the logits, a the input of the last linear layer
and M fixed by the query. A word's part is how s changes with the word's embedding e_i: the gradient times the input,
⟨∂s/∂e_i, e_i⟩, which estimates what of s would go were e_i set to 0 (Pezeshkpour et al. 2021, for appendix L).

Axes: B a batch, L positions, D embedding width, H inputs of the last layer, Y labels.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from influence.errors import ModelError
from influence.gradients.positions import WordGradients
from influence.models import Batch
from influence.types import FloatArray, IntArray


class ScoreWords(WordGradients):
    """A classifier that says how scores through its last layer hang on each position, batch by batch."""

    def _keep_call(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        self._calls.append((inputs[0], output))  # with its history: the score is differentiated through it

    def parts(self, batch: Batch, labels_B: IntArray, form_YH: FloatArray) -> FloatArray:
        """⟨∂s/∂e_i, e_i⟩ at every position, shape (B, L), for examples of one length with their own labels.

        Raises `ModelError` where the logits are not made by a last linear layer.
        """
        self._lookups.clear()
        self._calls.clear()
        logits_BY = self.forward(batch, labels_B).logits_BY
        inputs_BH = self._last_features(logits_BY)
        if inputs_BH is None:
            raise ModelError(f"{type(self.model).__name__} has no last linear layer with one input per example")
        labels = torch.from_numpy(np.asarray(labels_B, dtype=np.int64)).to(logits_BY.device)
        deltas_BY = logits_BY.softmax(dim=1) - F.one_hot(labels, logits_BY.shape[1])
        form = torch.from_numpy(np.asarray(form_YH, dtype=np.float32)).to(logits_BY.device)
        scores_B = (deltas_BY @ form * inputs_BH.float()).sum(dim=1)
        rows = self._lookups.rows
        gradients = torch.autograd.grad(scores_B.sum(), rows, allow_unused=True)
        parts = [None if gradient is None else gradient * row.detach() for gradient, row in zip(gradients, rows, strict=True)]
        tokens_BL = torch.from_numpy(batch.tokens_BL).to(rows[0].device)
        found: FloatArray = self._lookups.at_positions(parts, tokens_BL).sum(dim=2).float().cpu().numpy()
        return found
