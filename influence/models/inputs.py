"""What a classifier is fed, and where its logits come from."""

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from influence.errors import ModelError
from influence.models.encoding import Batch
from influence.types import IntArray

BATCH_TOKENS = {"cpu": 2_048, "cuda": 32_768}


def check_tokens(model: PreTrainedModel, tokens: IntArray) -> None:
    """Raise `ModelError` where a tokenizer's tokens are not all among the model's embedding rows."""
    rows, largest = model.get_input_embeddings().weight.shape[0], int(tokens.max(initial=0))
    if largest >= rows:
        raise ModelError(
            f"the tokenizer makes token {largest}, the model has only {rows} word embeddings: they do not belong together"
        )


def model_inputs(model: PreTrainedModel, batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    """The keyword arguments of a classifier's forward pass."""
    inputs = {
        "input_ids": torch.from_numpy(batch.tokens_BL).to(device),
        "attention_mask": torch.from_numpy(batch.real_BL.astype(np.int64)).to(device),
    }
    # Types are 0 or 1; RoBERTa has one type only and must not be given a 1, DistilBERT takes none at all.
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = torch.from_numpy(batch.types_BL).to(device)
    return inputs


def last_linear(model: PreTrainedModel) -> nn.Linear | None:
    """The linear layer that makes the logits: the last one with as many outputs as labels."""
    found = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == model.config.num_labels]
    return found[-1] if found else None
