"""The sentence encoder behind the embeddings: which one, and running it.

Axes: N texts, D embedding width, B and L a padded batch.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from influence.errors import ModelError
from influence.models import (
    BATCH_TOKENS,
    encode,
    length_buckets,
    load_body,
    load_tokenizer,
    model_inputs,
    of_one_length,
    resolve_device,
)
from influence.opinions.settings import AUTO, LONGEST, NO_ENCODER
from influence.types import FloatArray, Progress, StageKind, silent

POOLING = "1_Pooling/config.json"  # of a model saved by Sentence Transformers
EVERY = 20  # batches between two reports of progress


def check_encoder(wanted: str) -> None:
    """Raise `ModelError` where the encoder that is named cannot be loaded."""
    if wanted not in (AUTO, NO_ENCODER):
        load_tokenizer(wanted)
        load_body(wanted)


@torch.no_grad()
def embed(name: str, texts: Sequence[str], device: str, progress: Progress = silent) -> FloatArray:
    """The embeddings of texts by an encoder, rows of length 1, shape (N, D). Raises `ModelError` where it cannot be loaded.

    The mean over a text's tokens, or its first token where the encoder says so.
    """
    processor = resolve_device(device)
    tokenizer, model = load_tokenizer(name), load_body(name).to(processor)
    first = _takes_first_token(name)
    encoding = encode(tokenizer, texts, None, max_length=min(LONGEST, tokenizer.model_max_length))
    batches = length_buckets(encoding.lengths_N, batch_tokens=4 * BATCH_TOKENS[processor.type])
    embeddings_ND = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    done = 0
    for number, examples_B in enumerate(batches, start=1):
        states_BLD = model(**model_inputs(model, of_one_length(encoding, examples_B), processor)).last_hidden_state
        pooled_BD = states_BLD[:, 0] if first else states_BLD.mean(dim=1)
        embeddings_ND[examples_B] = F.normalize(pooled_BD.float(), dim=1).cpu().numpy()
        done += len(examples_B)
        if number % EVERY == 0 or number == len(batches):
            progress(StageKind.EMBEDDINGS, done, len(texts))
    if not np.isfinite(embeddings_ND).all():
        raise ModelError(f"--encoder {name!r}: it makes embeddings that are no numbers; use another one, or none")
    return embeddings_ND


def _takes_first_token(name: str) -> bool:
    try:
        return bool(json.loads((Path(name) / POOLING).read_text(encoding="utf-8")).get("pooling_mode_cls_token"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
