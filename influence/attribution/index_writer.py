"""Writing the index: one pass of a model over a split, gradients to disk, then sorted by token for the training split.

Nothing of size N×L×D is ever in memory: rows are appended to a spool file as each batch is done, and copied from there
into their final order a slice at a time. Axes as in `index`.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from influence.attribution.index import REST, TOP
from influence.files import load_array, open_rows
from influence.formulas import position_norms, top_k_positions, word_products
from influence.gradients import BatchGradients, WordGradients, first_alike, rows_alike
from influence.models import Encoding
from influence.sealed import finish, is_finished
from influence.types import BoolArray, FloatArray, IntArray, Progress, silent

COPY_BYTES = 4 << 20
SPOOL = "spool.npy"


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """Which positions are kept by top-k, and whether the others are stored too."""

    top_k: int
    store_rest: bool = True


def write_split(
    gradients: WordGradients,
    encoding: Encoding,
    labels_N: IntArray,
    folder: Path,
    *,
    settings: IndexSettings,
    vocabulary: int,
    by_token: bool,
    stage: str,
    progress: Progress = silent,
) -> None:
    """Write one checkpoint's gradients, predictions and self-influence of one split into `folder`.

    By token: `top/` and `rest/` postings (the training split). Otherwise rows stay in example order (the test split).
    Examples alike go through the model once. Does nothing where a finished `folder` is found.
    """
    if is_finished(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    first_N, done = first_alike(encoding, labels_N), 0
    distinct_E = np.unique(first_N)
    with closing(_Writer(folder, encoding, distinct_E, settings)) as writer:
        for batch in gradients.batches(encoding, labels_N, distinct_E):
            writer.add(batch)
            done += len(batch.losses_B)
            progress(stage, done, len(distinct_E))
        writer.finish(first_N, by_token=by_token, vocabulary=vocabulary)
    finish(folder, {"examples": len(encoding)})


class _Writer:
    """Spools gradient rows to disk in the order in which batches come, and per-example numbers into small arrays."""

    def __init__(self, folder: Path, encoding: Encoding, distinct_E: IntArray, settings: IndexSettings) -> None:
        self.rows = int(encoding.lengths_N[distinct_E].sum())  # of the spool
        self.folder, self.encoding, self.settings = folder, encoding, settings
        self.kept_R = np.zeros(len(encoding.tokens_R), dtype=np.bool_)
        self.small: dict[str, FloatArray] = {}  # one row an example, by the name of their file
        self.spool: BinaryIO | None = None
        self.spooled: list[IntArray] = []  # the encoding's rows in the order of the spool

    def add(self, batch: BatchGradients) -> None:
        examples_B, real_BL = batch.batch.examples_B, batch.batch.real_BL
        gradients_BLD = np.ascontiguousarray(batch.gradients_BLD.cpu().numpy())
        kept_BL = top_k_positions(position_norms(gradients_BLD), real_BL, self.settings.top_k)
        starts_B = self.encoding.offsets_N1[examples_B]
        rows_R = (starts_B[:, None] + np.arange(real_BL.shape[1]))[real_BL]
        if self.spool is None:
            self.spool = open_rows(self.folder / SPOOL, (self.rows, gradients_BLD.shape[2]))
        self.spool.write((gradients_BLD if real_BL.all() else gradients_BLD[real_BL]).data)
        self.spooled.append(rows_R)
        self.kept_R[rows_R] = kept_BL[real_BL]
        self._put("self_influence", examples_B, self_influence(gradients_BLD, batch.batch.tokens_BL, kept_BL))
        self._put("losses", examples_B, batch.losses_B)
        self._put("probabilities", examples_B, batch.probabilities_BY)
        self._put("deltas", examples_B, batch.deltas_BY)
        if batch.features_BH is not None:
            self._put("features", examples_B, batch.features_BH)

    def close(self) -> None:
        if self.spool is not None:
            self.spool.close()

    def finish(self, first_N: IntArray, *, by_token: bool, vocabulary: int) -> None:
        """Write all; what `first_N` says of an example alike is copied from there."""
        self.close()
        for name, values in self.small.items():
            np.save(self.folder / f"{name}.npy", values[first_N])
        rows_R = rows_alike(self.encoding, first_N)
        spool_RD = load_array(self.folder / SPOOL)
        places_R = np.empty(len(self.encoding.tokens_R), dtype=np.int64)  # of the encoding's rows in the spool
        places_R[np.concatenate(self.spooled)] = np.arange(len(spool_RD))
        places_R, kept_R = places_R[rows_R], self.kept_R[rows_R]
        if by_token:
            order_R = np.argsort(self.encoding.tokens_R, kind="stable")
            kept = kept_R[order_R]
            self._write_part(TOP, order_R[kept], vocabulary, spool_RD, places_R)
            if self.settings.store_rest:
                self._write_part(REST, order_R[~kept], vocabulary, spool_RD, places_R)
        else:
            np.save(self.folder / "kept.npy", kept_R)
            _copy_rows(spool_RD, places_R, self.folder / "gradients.npy")
        (self.folder / SPOOL).unlink()

    def _put(self, name: str, examples_B: IntArray, values: FloatArray) -> None:
        if name not in self.small:
            self.small[name] = np.zeros((len(self.encoding), *values.shape[1:]), dtype=values.dtype)
        self.small[name][examples_B] = values

    def _write_part(self, part: str, rows_P: IntArray, vocabulary: int, spool_RD: FloatArray, places_R: IntArray) -> None:
        folder = self.folder / part
        folder.mkdir(exist_ok=True)
        tokens_P = self.encoding.tokens_R[rows_P]
        np.save(folder / "offsets.npy", np.searchsorted(tokens_P, np.arange(vocabulary + 1)))
        np.save(folder / "rows.npy", rows_P)
        np.save(folder / "examples.npy", self.encoding.row_examples()[rows_P])
        _copy_rows(spool_RD, places_R[rows_P], folder / "gradients.npy")


def _copy_rows(spool_RD: FloatArray, places_P: IntArray, path: Path) -> None:
    """Write the spool's rows at `places_P`, in that order, a slice at a time."""
    step = max(1, COPY_BYTES // (4 * spool_RD.shape[1]))
    with open_rows(path, (len(places_P), spool_RD.shape[1])) as file:
        for start in range(0, len(places_P), step):
            file.write(spool_RD[places_P[start : start + step]].data)


def self_influence(gradients_BLD: FloatArray, tokens_BL: IntArray, kept_BL: BoolArray) -> FloatArray:
    """Σ_w ‖Σ_{i: x_i = w} g_i‖² without learning rate, shape (B, 2): over the kept positions, and over all.

    Padding must already be zero in `gradients_BLD`.
    """
    size, width = len(tokens_BL), gradients_BLD.shape[2]
    rows_RD = torch.from_numpy(gradients_BLD.reshape(-1, width))
    tokens = int(tokens_BL.max()) + 1
    keys_W, words_BL = np.unique(np.arange(size)[:, None] * tokens + tokens_BL, return_inverse=True)
    words_R = torch.from_numpy(words_BL.ravel())
    totals = []
    for chosen in (np.flatnonzero(kept_BL), slice(None)):
        sums_WD = torch.zeros(len(keys_W), width).index_add_(0, words_R[chosen], rows_RD[chosen]).numpy()
        totals.append(np.bincount(keys_W // tokens, weights=word_products(sums_WD, sums_WD), minlength=size))
    return np.stack(totals, axis=1)


def estimated_bytes(encoding: Encoding, width: int, checkpoints: int, settings: IndexSettings) -> int:
    """Size of the gradient rows on disk while one checkpoint is being sorted, the others done."""
    kept = int(np.minimum(encoding.lengths_N, settings.top_k).sum())
    stored = len(encoding.tokens_R) if settings.store_rest else kept
    return 4 * width * (stored * checkpoints + len(encoding.tokens_R))
