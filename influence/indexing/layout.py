"""Laying an index out: what all of its pieces need, and which segments there are; done once, by one process."""

from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from influence.checkpoints import load_checkpoint
from influence.files import load_array
from influence.gradients import GradientSettings
from influence.indexing.plan import SPLITS, How, is_settled, settle
from influence.models import Encoding, common_tokens, load_tokenizer, quicken
from influence.segments import IndexBuilder
from influence.types import Progress, silent


def lay_out(build: Path, how: How, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the plan of an index, and `how` it is made, into a build whose checkpoints are whole; nothing where it is there.

    Raises `WorkspaceError` where the disk has no room for it, and `SettingsError` where it was laid out for another device.
    """
    if not is_settled(build):
        builder = builder_of(build, how)
        size, width = load_checkpoint(build / "checkpoints", 0).get_input_embeddings().weight.shape
        special_V = np.zeros(max(len(tokenizer), size), dtype=np.bool_)
        for encoding in builder.encodings.values():
            special_V[np.unique(encoding.tokens_R[encoding.special_R])] = True
        np.save(build / "index" / "special_tokens.npy", special_V)
        np.save(build / "index" / "common_tokens.npy", common_tokens(tokenizer, len(special_V)) | special_V)
        builder.prepare(width)
    settle(build, how)


def builder_of(build: Path, how: How, progress: Progress = silent) -> IndexBuilder:
    """What makes the index of a build folder, from what lies there."""
    index, device = build / "index", torch.device(how.device)
    encodings = {split: Encoding.load(index / split / "encoding") for split in SPLITS}

    def model(number: int) -> PreTrainedModel:
        found = load_checkpoint(build / "checkpoints", number)
        quicken(found.to(device), encodings["train"], load_tokenizer(str(build / "checkpoints" / "tokenizer")).pad_token_id)
        return found

    return IndexBuilder(
        folder=index,
        encodings=encodings,
        labels={split: load_array(index / split / "labels.npy") for split in SPLITS},
        settings={split: how.settings(split) for split in SPLITS},
        checkpoints=how.checkpoints,
        model=model,
        options=GradientSettings(device=device, bf16=how.bf16),
        progress=progress,
    )
