"""Gradients and predictions for any text now: the workspace's checkpoints, loaded once and kept."""

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from influence.attribution.query import Query, QueryCheckpoint
from influence.checkpoints import load_checkpoint, load_checkpoints
from influence.formulas import position_norms, top_k_positions
from influence.gradients import BatchGradients, GradientSettings, WordGradients
from influence.models import Encoding, encode, load_tokenizer, of_one_length, resolve_device
from influence.types import FloatArray, IntArray


class Prediction(NamedTuple):
    """A text as the last checkpoint sees it."""

    encoding: Encoding  # of one example
    probabilities_Y: FloatArray
    special_words: list[str]  # its start and end tokens, in order


class LiveGradients:
    """Gradients by all checkpoints. One question at a time: hooks on a model are not for several threads."""

    def __init__(self, models: Callable[[], list[WordGradients]], *, top_k: int) -> None:
        self._make, self._top_k = models, top_k
        self._lock = threading.Lock()

    @cached_property
    def _models(self) -> list[WordGradients]:
        return self._make()

    def query(self, encoding: Encoding, label: int, key: str) -> Query:
        """A query for the loss of one encoded example on one label, at every checkpoint."""
        batch = of_one_length(encoding, np.array([0]))
        with self._lock:
            checkpoints = [self._checkpoints(model.of_batch(batch, np.array([label])))[0] for model in self._models]
        return Query(key, label, encoding.tokens_R, encoding.words_R, encoding.special_R, checkpoints, types_L=encoding.types_R)

    def gradients(self, encoding: Encoding, examples_E: IntArray, labels_N: IntArray) -> list[list[QueryCheckpoint]]:
        """The gradients of some encoded examples on their own labels, at every checkpoint; made in batches of one length."""
        found: list[list[QueryCheckpoint]] = [[] for _ in examples_E]
        place_of = {example: place for place, example in enumerate(examples_E.tolist())}
        with self._lock:
            for model in self._models:
                for batch in model.batches(encoding, labels_N, examples_E):
                    for example, checkpoint in zip(batch.batch.examples_B.tolist(), self._checkpoints(batch), strict=True):
                        found[place_of[example]].append(checkpoint)
        return found

    def _checkpoints(self, batch: BatchGradients) -> list[QueryCheckpoint]:
        gradients_BLD = batch.gradients_BLD.cpu().numpy()
        kept_BL = top_k_positions(position_norms(gradients_BLD), batch.batch.real_BL, self._top_k)
        rows = range(len(gradients_BLD))
        features = [None if batch.features_BH is None else batch.features_BH[row] for row in rows]
        return [QueryCheckpoint(gradients_BLD[row], kept_BL[row], features[row], batch.deltas_BY[row]) for row in rows]


class LiveModel(LiveGradients):
    """All checkpoints of a build, and its tokenizer, so that any text can be asked about."""

    def __init__(self, folder: Path, *, checkpoints: int, top_k: int, max_length: int) -> None:
        super().__init__(
            lambda: [WordGradients(model, self.settings) for model in load_checkpoints(folder, checkpoints)], top_k=top_k
        )
        self._folder, self._max_length = folder, max_length
        self._device = resolve_device("auto")
        self.tokenizer = load_tokenizer(str(folder / "tokenizer"))

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

    @property
    def settings(self) -> GradientSettings:
        """How gradients are computed here."""
        return GradientSettings(device=self._device)

    def model(self, checkpoint: int) -> PreTrainedModel:
        """One checkpoint, read anew: for passes that put hooks of their own on it, beside the questions answered here."""
        return load_checkpoint(self._folder, checkpoint)
