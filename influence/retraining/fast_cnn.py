"""The CNN's logits by matrix products, from the rows of a batch's distinct words; equal to the model's own up to rounding.

A batch holds about half as many distinct words as positions. The first convolution is linear in the word vectors, so its
five taps are applied once to each distinct word, and the results are gathered for each position. Under `vmap` these are
batched matrix products, where a convolution whose weights differ by run would be a slow grouped one.

Axes: U distinct words, B and L the padded batch, D input width, F filters, K taps.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F

Parameters = Mapping[str, torch.Tensor]


def cnn_logits(weights: Parameters, places_BL: torch.Tensor, real_BL: torch.Tensor, layers: int) -> torch.Tensor:
    """Logits (B, Y); `places_BL` are the positions' rows in `weights["embedding.weight"]`."""
    real_BL1 = real_BL.unsqueeze(-1).to(weights["embedding.weight"].dtype)
    hidden_BLF = _first(weights, places_BL, real_BL1)
    for layer in range(1, layers):
        weight_FDK, bias_F = (weights[f"convolutions.{layer}.{name}"] for name in ("weight", "bias"))
        hidden_BLF = torch.relu(_convolved(hidden_BLF, weight_FDK, bias_F)) * real_BL1
    return F.linear(hidden_BLF.amax(dim=1), weights["classifier.weight"], weights["classifier.bias"])


def _first(weights: Parameters, places_BL: torch.Tensor, real_BL1: torch.Tensor) -> torch.Tensor:
    weight_FDK = weights["convolutions.0.weight"]
    filters, width, taps = weight_FDK.shape
    rows_UD = weights["embedding.weight"]
    tapped_UX = rows_UD @ weight_FDK.permute(1, 2, 0).reshape(width, taps * filters)
    tapped_WF = F.pad(tapped_UX, (0, 0, 0, 1)).reshape(-1, filters)  # a row of zeros after the words, for padding
    places_BL = torch.where(real_BL1[..., 0] > 0, places_BL, len(rows_UD))
    before = (taps - 1) // 2  # the taps before a position, as padding="same" has them
    around_BLK = F.pad(places_BL, (before, taps - 1 - before), value=len(rows_UD)).unfold(-1, taps, 1)
    around_BLK = around_BLK * taps + torch.arange(taps, device=places_BL.device)
    hidden_BLF = F.embedding(around_BLK, tapped_WF).sum(dim=2)
    return torch.relu(hidden_BLF + weights["convolutions.0.bias"]) * real_BL1


def _convolved(hidden_BLD: torch.Tensor, weight_FDK: torch.Tensor, bias_F: torch.Tensor) -> torch.Tensor:
    taps = weight_FDK.shape[2]
    if taps == 1:
        return F.linear(hidden_BLD, weight_FDK[:, :, 0], bias_F)
    before = (taps - 1) // 2
    length = hidden_BLD.shape[1]
    padded_BLD = F.pad(hidden_BLD, (0, 0, before, taps - 1 - before))
    windows_BLX = torch.cat([padded_BLD[:, tap : tap + length] for tap in range(taps)], dim=2)
    return F.linear(windows_BLX, weight_FDK.permute(0, 2, 1).flatten(1), bias_F)
