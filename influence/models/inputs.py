"""What a classifier is fed, and where its logits come from."""

import inspect
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from influence.errors import ModelError
from influence.models.encoding import Batch, Encoding, few_examples, pad
from influence.types import IntArray

BATCH_TOKENS = {"cpu": 2_048, "cuda": 32_768}
SAME = 1e-3  # of the largest logit: what rounding may make of a difference


def check_tokens(model: PreTrainedModel, tokens: IntArray, types: IntArray | None = None) -> None:
    """Raise `ModelError` where a tokenizer's tokens, or its token types, are not all among those that the model has."""
    rows, largest = model.get_input_embeddings().weight.shape[0], int(tokens.max(initial=0))
    if largest >= rows:
        raise ModelError(
            f"the tokenizer makes token {largest}, the model has only {rows} word embeddings: they do not belong together"
        )
    known, highest = getattr(model.config, "type_vocab_size", None), 0 if types is None else int(types.max(initial=0))
    if known and highest >= known and "token_type_ids" in inspect.signature(model.forward).parameters:
        raise ModelError(
            f"the tokenizer makes token type {highest}, the model has only {known} of them: they do not belong together"
        )


def mask_token(tokenizer: PreTrainedTokenizerFast) -> tuple[int, str]:
    """What stands in the place of a masked word: the model's mask token, else its unknown token, else its padding."""
    for name in ("mask_token", "unk_token", "pad_token"):
        token = getattr(tokenizer, name)
        if token is not None:
            return int(tokenizer.convert_tokens_to_ids(token)), str(token)
    raise AssertionError("load_tokenizer sees to it that there is a padding token")


def check_own_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Raise `ModelError` where what fills up a batch, or stands for a masked word, is no token of the model."""
    check_tokens(model, np.array([tokenizer.pad_token_id, mask_token(tokenizer)[0]]))


def model_inputs(model: PreTrainedModel, batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    """The keyword arguments of a classifier's forward pass."""
    types = () if batch.types_BL is None else (batch.types_BL,)
    arrays = (batch.tokens_BL, batch.real_BL.astype(np.int64), *types)
    return named_inputs(model, *(torch.from_numpy(array).to(device) for array in arrays))


def named_inputs(
    model: PreTrainedModel, tokens: torch.Tensor, real: torch.Tensor, types: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """What the tokenizer makes, by the names that the model has for it, as a Trainer picks it; types None: it makes none."""
    made = {"input_ids": tokens, "attention_mask": real, "token_type_ids": types}
    taken = inspect.signature(model.forward).parameters
    return {name: values for name, values in made.items() if values is not None and name in taken}


class Padding(NamedTuple):
    """How training fills up a batch."""

    token: int
    left: bool
    harmless: bool  # an example's logits are those it has without


def padding_token(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> int:
    """The token that fills up a batch: the model's own, since it may go by it; one that has none is told the tokenizer's."""
    rows, own = len(model.get_input_embeddings().weight), getattr(model.config, "pad_token_id", None)
    if own is None or not 0 <= own < rows:
        own = model.config.pad_token_id = tokenizer.pad_token_id
    return int(own)


def padding_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, encoding: Encoding) -> Padding:
    """The padding that does not change an example's logits: on the right, else on the left; else on the tokenizer's side.

    Raises `ModelError` for a token that the model does not know.
    """
    check_tokens(model, encoding.tokens_R, encoding.types_R)
    own = padding_token(model, tokenizer)
    chosen = few_examples(encoding.lengths_N)
    alone = torch.cat([_logits(model, pad(encoding, chosen[at : at + 1], own)) for at in range(len(chosen))])
    bound = SAME * float(alone.abs().max())
    for left in (False, True):
        if float((_logits(model, pad(encoding, chosen, own, left=left)) - alone).abs().max()) <= bound:
            return Padding(own, left, harmless=True)
    return Padding(own, tokenizer.padding_side == "left", harmless=False)


@torch.no_grad()
def _logits(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    training, device = model.training, next(model.parameters()).device
    logits: torch.Tensor = model.eval()(**model_inputs(model, batch, device)).logits
    model.train(training)
    return logits


def last_linear(model: PreTrainedModel) -> nn.Linear | None:
    """The linear layer that makes the logits: the last one with as many outputs as labels."""
    found = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == model.config.num_labels]
    return found[-1] if found else None
