"""Gradients and predictions for any text now: the workspace's checkpoints, loaded once and kept."""

import threading
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from influence.attribution.query import Query, QueryCheckpoint
from influence.checkpoints import load_checkpoint, load_checkpoints
from influence.formulas import position_norms, top_k_positions
from influence.gradients import GradientSettings, WordGradients
from influence.models import Encoding, encode, load_tokenizer, of_one_length, resolve_device
from influence.types import FloatArray


class Prediction(NamedTuple):
    """A text as the last checkpoint sees it."""

    encoding: Encoding  # of one example
    probabilities_Y: FloatArray
    special_words: list[str]  # its start and end tokens, in order


class LiveModel:
    """All checkpoints of a build. One question at a time: hooks on a model are not for several threads."""

    def __init__(self, folder: Path, *, checkpoints: int, top_k: int, max_length: int) -> None:
        self._folder, self._count, self._top_k, self._max_length = folder, checkpoints, top_k, max_length
        self._device = resolve_device("auto")
        self._lock = threading.Lock()
        self.tokenizer = load_tokenizer(str(folder / "tokenizer"))

    @cached_property
    def _models(self) -> list[WordGradients]:
        return [WordGradients(model, self.settings) for model in load_checkpoints(self._folder, self._count)]

    def predict(self, text: str, text_pair: str | None) -> Prediction:
        """Tokens and label probabilities of a text."""
        pairs = None if text_pair is None else [text_pair]
        longest = min(self._max_length, self.tokenizer.model_max_length)
        encoding = encode(self.tokenizer, [text], pairs, max_length=longest)
        with self._lock:
            batch = of_one_length(encoding, np.array([0]))
            # The label does not matter to the probabilities.
            probabilities_BY = self._models[-1].of_batch(batch, np.array([0])).probabilities_BY
        special = self.tokenizer.convert_ids_to_tokens(encoding.tokens_R[encoding.special_R].tolist())
        return Prediction(encoding, probabilities_BY[0], special)

    def query(self, encoding: Encoding, label: int, key: str) -> Query:
        """A query for the loss of one encoded example on one label, at every checkpoint."""
        batch = of_one_length(encoding, np.array([0]))
        checkpoints = []
        with self._lock:
            for model in self._models:
                found = model.of_batch(batch, np.array([label]))
                gradients_BLD = found.gradients_BLD.cpu().numpy()
                kept_BL = top_k_positions(position_norms(gradients_BLD), batch.real_BL, self._top_k)
                features_H = None if found.features_BH is None else found.features_BH[0]
                checkpoints.append(QueryCheckpoint(gradients_BLD[0], kept_BL[0], features_H, found.deltas_BY[0]))
        return Query(key, label, encoding.tokens_R, encoding.words_R, encoding.special_R, checkpoints, types_L=encoding.types_R)

    @property
    def settings(self) -> GradientSettings:
        """How gradients are computed here."""
        return GradientSettings(device=self._device)

    def model(self, checkpoint: int) -> PreTrainedModel:
        """One checkpoint, read anew: for passes that put hooks of their own on it, beside the questions answered here."""
        return load_checkpoint(self._folder, checkpoint)
