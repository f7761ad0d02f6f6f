"""An embedding table under SGD of which only the rows that a batch reads are brought up to date.

A row without a gradient still moves while its momentum (and weight decay) lasts. s such steps are a linear map of row and
velocity, (p, v) -> A^s (p, v) with the same 2 x 2 matrix for every row, so a row is caught up when it is next read. The
result is the dense optimizer's, up to rounding.

Axes: T runs trained together (left out for a single one), V rows of the table, U rows that a batch reads, D width.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from influence.models import TrainingSettings
from influence.types import FloatArray, IntArray


class RowLookup(nn.Module):
    """Stands in for a model's embedding: looks tokens up among the few rows that are in use just now."""

    def __init__(self, padding_idx: int | None, rows_VD: torch.Tensor) -> None:
        super().__init__()
        self.padding_idx = padding_idx
        self.weight = nn.Parameter(rows_VD)
        self.places_V = torch.arange(len(rows_VD), device=rows_VD.device)  # of each token's row among those in use

    def forward(self, tokens_BL: torch.Tensor) -> torch.Tensor:
        """Rows of the tokens; the padding row gets no gradient, as in `nn.Embedding`."""
        rows_BLD = F.embedding(self.places_V[tokens_BL], self.weight)
        if self.padding_idx is None:
            return rows_BLD
        return torch.where((tokens_BL == self.padding_idx).unsqueeze(-1), rows_BLD.detach(), rows_BLD)


class LazyRows:
    """Rows, velocities and the step each was last brought up to."""

    def __init__(self, rows_VD: torch.Tensor, settings: TrainingSettings, steps: int) -> None:
        self.rows = rows_VD  # (V, D), or (T, V, D)
        self.velocities = torch.zeros_like(rows_VD)
        self.updated_V = np.zeros(rows_VD.shape[-2], dtype=np.int64)
        self._settings = settings
        self._powers_S4 = torch.from_numpy(_powers(settings, steps)).to(rows_VD)
        self._read: Any = None

    def read(self, used_U: IntArray, step: int) -> torch.Tensor:
        """Some rows as they stand before a step (counted from 1)."""
        at_U = torch.from_numpy(used_U).to(self.rows.device)
        rows, velocities = self.rows.index_select(-2, at_U), self.velocities.index_select(-2, at_U)
        idle_U = torch.from_numpy(step - 1 - self.updated_V[used_U]).to(self.rows.device)
        pp, pv, vp, vv = self._powers_S4[idle_U].unsqueeze(-1).unbind(1)
        if self._settings.weight_decay:
            rows, velocities = pp * rows + pv * velocities, vp * rows + vv * velocities
        else:
            rows, velocities = torch.addcmul(rows, pv, velocities), vv * velocities
        self._read = at_U, used_U, velocities
        return rows

    def update(self, rows: torch.Tensor, gradients: torch.Tensor, step: int) -> None:
        """One SGD step for the rows that were read for it."""
        at_U, used_U, velocities = self._read
        settings = self._settings
        velocities.mul_(settings.momentum).add_(gradients)
        if settings.weight_decay:
            velocities.add_(rows, alpha=settings.weight_decay)
        self.velocities.index_copy_(-2, at_U, velocities)
        self.rows.index_copy_(-2, at_U, rows - settings.learning_rate * velocities)
        self.updated_V[used_U] = step


def _powers(settings: TrainingSettings, steps: int) -> FloatArray:
    """A^s for s = 0..steps as (p from p, p from v, v from p, v from v): s steps of SGD with a gradient of zero."""
    rate, momentum, decay = settings.learning_rate, settings.momentum, settings.weight_decay
    one = np.array([[1 - rate * decay, -rate * momentum], [decay, momentum]])
    powers = [np.eye(2)]
    for _ in range(steps):
        powers.append(one @ powers[-1])
    return np.stack(powers).reshape(-1, 4)
