"""Gradients and predictions made now by a workspace's checkpoints: of any text, of test examples, and of the training set.

`LiveModel` keeps the checkpoints loaded. `PassIndex` stands in for the index where a method counts positions that are not
stored: every training example goes through every checkpoint.

Axes: N training examples, C checkpoints, Q queries, B a batch, L positions, D embedding width, E chosen examples.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from influence.attribution.matches import Found, Matches, merge_matches
from influence.attribution.query import Query, QueryCheckpoint, WordSelection
from influence.checkpoints import load_checkpoint, load_checkpoints
from influence.formulas import add_word_scores, position_norms, top_k_positions
from influence.gradients import BatchGradients, GradientSettings, HookedModel, WordGradients
from influence.models import Encoding, encode, load_tokenizer, of_one_length, resolve_device
from influence.segments import add_products
from influence.types import FloatArray, IntArray, Progress, StageKind, silent

if TYPE_CHECKING:
    from influence.attribution.index import WordIndex

PASS = "the training set through every checkpoint"  # a stage


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
        self._folder, self._max_length, self._checkpoints_there = folder, max_length, checkpoints
        self._device = resolve_device("auto")
        self.tokenizer = load_tokenizer(str(folder / "tokenizer"))

    @property
    def longest(self) -> int:
        """How many tokens of a text are read."""
        return min(self._max_length, int(self.tokenizer.model_max_length))

    @property
    def row_bytes(self) -> int:
        """What the gradients of one position take at all checkpoints."""
        width: int = np.shape(self._models[-1].model.get_input_embeddings().weight)[1]
        return 4 * width * len(self._models)

    def probabilities(self, encoding: Encoding, progress: Progress = silent) -> FloatArray:
        """Label probabilities of encoded texts at the last checkpoint, shape (N, Y); no gradients are made."""
        last = self._checkpoints_there - 1
        done, found_NY = 0, np.zeros((len(encoding), 0), dtype=np.float32)
        with HookedModel(self.model(last), self.settings) as hooked, torch.no_grad():
            for batch in hooked.in_batches(encoding):
                found_BY = hooked.forward(batch, np.zeros(len(batch.examples_B), dtype=np.int64)).probabilities_BY
                if not done:
                    found_NY = np.zeros((len(encoding), found_BY.shape[1]), dtype=np.float32)
                found_NY[batch.examples_B] = found_BY
                done += len(found_BY)
                progress(StageKind.READING, done, len(encoding))
        return found_NY

    def predict(self, text: str, text_pair: str | None) -> Prediction:
        """Tokens and label probabilities of a text."""
        pairs = None if text_pair is None else [text_pair]
        encoding = encode(self.tokenizer, [text], pairs, max_length=self.longest)
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


class PassIndex:
    """Scores over words as `WordIndex` gives them, over positions that it does not hold; nothing of the pass is kept."""

    def __init__(
        self, index: "WordIndex", model: Callable[[int], PreTrainedModel], settings: GradientSettings, progress: Progress
    ) -> None:
        self.index, self._model, self._settings, self._progress = index, model, settings, progress

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Scores for every checkpoint and example, shape (C, N)."""
        return np.stack([scores_QN[0] for scores_QN in self._scores([query], selection)]).astype(np.float64)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries, summed over checkpoints, shape (Q, N)."""
        total_QN = np.zeros((len(queries), len(self.index.encoding)), dtype=np.float32)
        for scores_QN in self._scores(queries, selection):
            total_QN += scores_QN
        return total_QN

    def _scores(self, queries: Sequence[Query], selection: WordSelection) -> Iterator[FloatArray]:
        index, rates_C = self.index, self.index.learning_rates_C.tolist()
        examples_E = index.alike.distinct_E
        for number, rate in enumerate(rates_C):
            scores_QN, words = np.zeros((len(queries), len(index.encoding)), dtype=np.float32), dict[int, Any]()
            if rate:
                words = {token: rest for token, *rest in index.by_token(queries, number, selection)}
            for done, batch in self._batches(number, examples_E) if rate else ():
                examples_R, tokens_R, gradients_RD = _rows(batch, list(words))
                order_R = np.argsort(tokens_R, kind="stable")
                blocks = (
                    (*words[int(tokens_R[at[0]])], gradients_RD[at], examples_R[at])
                    for at in np.split(order_R, np.flatnonzero(np.diff(tokens_R[order_R])) + 1)
                    if len(at)
                )
                add_word_scores(scores_QN, blocks, rate, add_products)
                self._progress(PASS, number * len(examples_E) + done, len(rates_C) * len(examples_E))
            yield index.alike.tie(scores_QN)

    def _batches(self, number: int, examples_E: IntArray) -> Iterator[tuple[int, BatchGradients]]:
        done = 0
        with WordGradients(self._model(number), self._settings) as gradients:
            for batch in gradients.batches(self.index.encoding, np.asarray(self.index.labels_N), examples_E):
                done += len(batch.losses_B)
                yield done, batch

    def matches(self, query: Query, examples_E: IntArray, selection: WordSelection) -> Matches:
        """Word contributions of the query with each of the chosen examples; they sum to the scores."""
        index, found = self.index, list[Found]()
        firsts_E = index.alike.first_N[examples_E]
        for number in np.flatnonzero(index.learning_rates_C).tolist():
            positions_K = index.token_kinds.positions(query, number, selection)
            for _, batch in self._batches(number, np.unique(firsts_E)) if len(examples_E) else ():
                for row, example in enumerate(batch.batch.examples_B.tolist()):
                    at_X, same_X = np.nonzero(batch.batch.tokens_BL[row][:, None] == query.tokens_L[positions_K])
                    gradients_XD = batch.gradients_BLD[row].cpu().numpy()[at_X]
                    for place in np.flatnonzero(firsts_E == example).tolist():
                        rows_R = index.encoding.offsets_N1[examples_E[place]] + at_X
                        places_X = np.full(len(at_X), place)
                        found.append(index.contributions(query, number, positions_K[same_X], rows_R, gradients_XD, places_X))
        return merge_matches(found, len(examples_E), len(index.learning_rates_C))


def _rows(batch: BatchGradients, tokens: Sequence[int]) -> tuple[IntArray, IntArray, FloatArray]:
    """Of the positions of a batch that hold one of some tokens: their examples, tokens and gradients."""
    tokens_BL = batch.batch.tokens_BL
    row_R, at_R = np.nonzero(np.isin(tokens_BL, tokens))
    places = torch.from_numpy(row_R), torch.from_numpy(at_R)
    return batch.batch.examples_B[row_R], tokens_BL[row_R, at_R], batch.gradients_BLD[places].cpu().numpy()
