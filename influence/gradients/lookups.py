"""Where a classifier takes rows of its word embedding from, and which words of the text they are.

A row that is looked up becomes a leaf of its own before anything is done with it, so its gradient is what the row of the
embedding matrix gets from that one place: whatever factor the embedding has (Gemma's √D), however the looked-up rows lie
(XLNet turns the batch on its side, Longformer pads it) and however often the matrix is used (BART's decoder reads the
text again, one token later). The gradients of a text's places sum to the gradient by the matrix.

Axes: B examples, L positions, D embedding width; S places of a lookup, whatever their shape.
"""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call
from transformers import PreTrainedModel

from influence.errors import ModelError


class _Lookup(NamedTuple):
    tokens: torch.Tensor
    rows_SD: torch.Tensor  # the leaf
    padding: int | None  # the row that training never moves


class WordLookups:
    """Hooks on a model's word embedding that keep every row looked up, call by call. Raises `ModelError` where it has none."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = type(model).__name__
        weight = word_embedding(model).weight
        self._bare = {m: _bare(m) for m in model.modules() if isinstance(m, nn.Embedding) and m.weight is weight}
        self._found: list[_Lookup] = []
        self.handles = [module.register_forward_hook(self._look_up, with_kwargs=True) for module in self._bare]

    def clear(self) -> None:
        """Forget the lookups of the batch before."""
        self._found.clear()

    def _look_up(self, module: Any, given: tuple[Any, ...], named: dict[str, Any], _output: torch.Tensor) -> Any:
        tokens = given[0] if given else named["input"]
        rows_SD = module.weight.detach()[tokens.flatten()].requires_grad_(True)
        self._found.append(_Lookup(tokens, rows_SD, module.padding_idx))
        places = torch.arange(tokens.numel(), device=tokens.device).view_as(tokens)
        return functional_call(self._bare[module], {"weight": rows_SD}, (places,))

    @property
    def rows(self) -> list[torch.Tensor]:
        """The rows looked up since `clear`. Raises `ModelError` where there are none."""
        if not self._found:
            raise ModelError(f"{self._model} does not look words up in its word embedding, so there is no gradient of a word")
        return [found.rows_SD for found in self._found]

    def at_positions(self, gradients: Sequence[torch.Tensor | None], tokens_BL: torch.Tensor) -> torch.Tensor:
        """The gradients of `rows` at the positions of the text that they belong to, summed, shape (B, L, D).

        Raises `ModelError` where the model looks up a token that is not in the text.
        """
        total: Any = 0
        for found, gradient_SD in zip(self._found, gradients, strict=True):
            if gradient_SD is not None:
                tokens, gradient = found.tokens, gradient_SD.view(*found.tokens.shape, -1)
                if found.padding is not None and (padded := tokens == found.padding).any():
                    gradient = gradient.masked_fill(padded.unsqueeze(-1), 0)
                if tokens.shape[:2] == tokens_BL.mT.shape and not _begins_with(tokens, tokens_BL):
                    tokens, gradient = tokens.mT, gradient.transpose(0, 1)
                total = total + self._placed(tokens, gradient, tokens_BL)
        return total if isinstance(total, torch.Tensor) else torch.zeros(*tokens_BL.shape, self.rows[0].shape[-1])

    def _placed(self, tokens: torch.Tensor, gradient: torch.Tensor, tokens_BL: torch.Tensor) -> torch.Tensor:
        length = tokens_BL.shape[1]
        if _begins_with(tokens, tokens_BL) and not gradient[:, length:].any():
            return gradient[:, :length]
        if _begins_with(tokens[:, 1:], tokens_BL[:, :-1]) and tokens.shape == tokens_BL.shape:
            return self._shifted_back(tokens, gradient, tokens_BL)
        raise ModelError(f"{self._model} looks up other tokens than those of the text, so a word has no gradient of its own")

    def _shifted_back(self, tokens_BL: torch.Tensor, gradient_BLD: torch.Tensor, text_BL: torch.Tensor) -> torch.Tensor:
        """A decoder's lookups, a token behind the text: its start is the text's last token of that kind."""
        starts_BL = text_BL == tokens_BL[:, :1]
        if not starts_BL.any(dim=1).all() and gradient_BLD[:, 0].any():
            raise ModelError(
                f"{self._model} begins its decoder with token {int(tokens_BL[0, 0])}, which is no word of the text, so its "
                "share of a score belongs to no word; use a model that is an encoder or a decoder alone"
            )
        placed_BLD = torch.cat([gradient_BLD[:, 1:], torch.zeros_like(gradient_BLD[:, :1])], dim=1)
        last_B = starts_BL.shape[1] - 1 - starts_BL.flip(1).int().argmax(dim=1)
        placed_BLD[torch.arange(len(last_B), device=last_B.device), last_B] += gradient_BLD[:, 0]
        return placed_BLD


def word_embedding(model: PreTrainedModel) -> nn.Embedding:
    """The model's table of words. Raises `ModelError` where it has none."""
    try:
        found = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        found = None
    if not isinstance(found, nn.Embedding):
        raise ModelError(f"{type(model).__name__} has no word embedding: a table with a row for every token")
    return found


def _bare(module: nn.Embedding) -> nn.Embedding:
    """The same lookup for rows given by place: no hooks, and no place of them is padding."""
    bare = copy.copy(module)
    bare._parameters, bare._forward_hooks = dict(module._parameters), OrderedDict()
    bare.padding_idx = None
    return bare


def _begins_with(tokens: torch.Tensor, text_BL: torch.Tensor) -> bool:
    return tokens.ndim == text_BL.ndim and torch.equal(tokens[:, : text_BL.shape[1]], text_BL)
