"""Which words of a training example a score through the last layer hangs on, where the method itself has no words.

Such a score is s(x) = Σ_yh δ_y(x) M_yh a_h(x), with δ the loss gradient at the logits, a the input of the last linear layer
and M fixed by the query. A word's part is how s changes with the word's embedding e_i: the gradient times the input,
⟨∂s/∂e_i, e_i⟩, which estimates what of s would go were e_i set to 0 (Pezeshkpour et al. 2021, for appendix L).

Axes: B a batch, L positions, D embedding width, H inputs of the last layer, Y labels.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from influence.errors import ModelError
from influence.gradients.positions import GradientSettings, HookedModel
from influence.models import Batch, last_linear
from influence.types import FloatArray, IntArray


class ScoreWords(HookedModel):
    """A classifier that says how scores through its last layer hang on each position, batch by batch."""

    def __init__(self, model: PreTrainedModel, settings: GradientSettings) -> None:
        super().__init__(model, settings)
        last = last_linear(model)
        if last is None:
            raise ModelError(f"{type(model).__name__} has no last linear layer")
        self._words: list[torch.Tensor] = []
        self._inputs: list[torch.Tensor] = []
        self._handles.append(model.get_input_embeddings().register_forward_hook(self._keep_words))
        self._handles.append(last.register_forward_pre_hook(lambda _, inputs: self._inputs.append(inputs[0])))

    def _keep_words(self, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        self._words.append(output.detach().requires_grad_(True))
        return self._words[-1]

    def of_batch(self, batch: Batch, labels_B: IntArray, form_YH: FloatArray) -> FloatArray:
        """⟨∂s/∂e_i, e_i⟩ at every position, shape (B, L), 0 at padding, for examples with their own labels."""
        self._words.clear()
        self._inputs.clear()
        logits_BY, _ = self.forward(batch, labels_B)
        probabilities_BY = logits_BY.softmax(dim=1)
        own_BY = torch.zeros_like(probabilities_BY)
        own_BY[torch.arange(len(labels_B)), torch.from_numpy(np.asarray(labels_B, dtype=np.int64))] = 1
        form = torch.from_numpy(np.asarray(form_YH, dtype=np.float32)).to(logits_BY.device)
        scores_B = ((probabilities_BY - own_BY) @ form * self._inputs[0].float()).sum(dim=1)
        (gradients_BLD,) = torch.autograd.grad(scores_B.sum(), self._words)
        parts_BL = (gradients_BLD * self._words[0].detach()).sum(dim=2).float().cpu().numpy()
        return np.where(batch.real_BL, parts_BL, 0.0)
