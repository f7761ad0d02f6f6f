"""Writing the index: one pass of a model over a split, gradients to disk, then sorted by token for the training split.

Nothing of size N×L×D is ever in memory: rows go to a memory-mapped file as each batch is done, and are copied into
token order a slice at a time. Axes as in `postings`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from influence.encoding import BoolArray, Encoding, FloatArray, IntArray, Progress, silent
from influence.files import DONE, allocate, write_json
from influence.gradients import BatchGradients, WordGradients
from influence.methods import top_k_positions
from influence.postings import REST, TOP

COPY_BYTES = 16 << 20


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
    Does nothing where a finished `folder` is found.
    """
    if (folder / DONE).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(folder, encoding, settings)
    done = 0
    for batch in gradients.batches(encoding, labels_N):
        writer.add(batch)
        done += len(batch.losses_B)
        progress(stage, done, len(encoding))
    writer.finish(by_token=by_token, vocabulary=vocabulary)
    write_json(folder / DONE, {"examples": len(encoding)})


class _Writer:
    """Collects batches into memory-mapped rows in example order, and per-example numbers into small arrays."""

    def __init__(self, folder: Path, encoding: Encoding, settings: IndexSettings) -> None:
        self.folder, self.encoding, self.settings = folder, encoding, settings
        self.kept_R = np.zeros(len(encoding.tokens_R), dtype=np.bool_)
        self.self_N2 = np.zeros((len(encoding), 2))
        self.losses_N = np.zeros(len(encoding), dtype=np.float32)
        self.rows_RD: FloatArray | None = None
        self.small: dict[str, FloatArray] = {}

    def add(self, batch: BatchGradients) -> None:
        examples_B, real_BL = batch.batch.examples_B, batch.batch.real_BL
        norms_BL = batch.gradients_BLD.norm(dim=2).cpu().numpy()
        kept_BL = top_k_positions(norms_BL, real_BL, self.settings.top_k)
        starts_B = self.encoding.offsets_N1[examples_B]
        rows_R = (starts_B[:, None] + np.arange(real_BL.shape[1]))[real_BL]
        real = torch.from_numpy(real_BL).to(batch.gradients_BLD.device)
        self._spool(batch.gradients_BLD.shape[2])[rows_R] = batch.gradients_BLD[real].cpu().numpy()
        self.kept_R[rows_R] = kept_BL[real_BL]
        self.self_N2[examples_B] = self_influence(batch.gradients_BLD, batch.batch.tokens_BL, kept_BL)
        self.losses_N[examples_B] = batch.losses_B
        self._put("probabilities", examples_B, batch.probabilities_BY)
        self._put("deltas", examples_B, batch.deltas_BY)
        if batch.features_BH is not None:
            self._put("features", examples_B, batch.features_BH)

    def finish(self, *, by_token: bool, vocabulary: int) -> None:
        assert self.rows_RD is not None  # a data set is never empty
        np.save(self.folder / "self_influence.npy", self.self_N2)
        np.save(self.folder / "losses.npy", self.losses_N)
        for name, values in self.small.items():
            np.save(self.folder / f"{name}.npy", values)
        if by_token:
            order_R = np.argsort(self.encoding.tokens_R, kind="stable")
            kept = self.kept_R[order_R]
            self._write_part(TOP, order_R[kept], vocabulary)
            if self.settings.store_rest:
                self._write_part(REST, order_R[~kept], vocabulary)
            self.rows_RD = None
            (self.folder / "gradients.npy").unlink()
        else:
            np.save(self.folder / "kept.npy", self.kept_R)

    def _spool(self, width: int) -> FloatArray:
        if self.rows_RD is None:
            self.rows_RD = allocate(self.folder / "gradients.npy", (len(self.encoding.tokens_R), width))
        return self.rows_RD

    def _put(self, name: str, examples_B: IntArray, values_BX: FloatArray) -> None:
        if name not in self.small:
            self.small[name] = np.zeros((len(self.encoding), values_BX.shape[1]), dtype=np.float32)
        self.small[name][examples_B] = values_BX

    def _write_part(self, part: str, rows_P: IntArray, vocabulary: int) -> None:
        folder = self.folder / part
        folder.mkdir(exist_ok=True)
        tokens_P = self.encoding.tokens_R[rows_P]
        np.save(folder / "offsets.npy", np.searchsorted(tokens_P, np.arange(vocabulary + 1)))
        np.save(folder / "rows.npy", rows_P)
        np.save(folder / "examples.npy", self.encoding.row_examples()[rows_P])
        assert self.rows_RD is not None
        width = self.rows_RD.shape[1]
        gradients_PD = allocate(folder / "gradients.npy", (len(rows_P), width))
        step = max(1, COPY_BYTES // (4 * width))
        for start in range(0, len(rows_P), step):
            np.take(self.rows_RD, rows_P[start : start + step], axis=0, out=gradients_PD[start : start + step], mode="clip")


def self_influence(gradients_BLD: torch.Tensor, tokens_BL: IntArray, kept_BL: BoolArray) -> FloatArray:
    """Σ_w ‖Σ_{i: x_i = w} g_i‖² without learning rate, shape (B, 2): over the kept positions, and over all.

    Padding must already be zero in `gradients_BLD`.
    """
    device = gradients_BLD.device
    tokens = torch.from_numpy(tokens_BL).to(device)
    kept = torch.from_numpy(kept_BL).to(device)
    products_BLL = (gradients_BLD @ gradients_BLD.transpose(1, 2)) * (tokens.unsqueeze(2) == tokens.unsqueeze(1))
    over_all = products_BLL.sum(dim=(1, 2), dtype=torch.float64)
    over_kept = (products_BLL * (kept.unsqueeze(2) & kept.unsqueeze(1))).sum(dim=(1, 2), dtype=torch.float64)
    stacked: FloatArray = torch.stack([over_kept, over_all], dim=1).clamp_min(0).cpu().numpy()
    return stacked


def estimated_bytes(encoding: Encoding, width: int, checkpoints: int, settings: IndexSettings) -> int:
    """Size of the gradient rows on disk while one checkpoint is being sorted, the others done."""
    kept = int(np.minimum(encoding.lengths_N, settings.top_k).sum())
    stored = len(encoding.tokens_R) if settings.store_rest else kept
    return 4 * width * (stored * checkpoints + len(encoding.tokens_R))
