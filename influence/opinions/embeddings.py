"""Sentence embeddings kept by content, so that a text is embedded once, whatever is built, reviewed or corrected after.

    WORKSPACE/embeddings/ENCODER.npy     one encoder's: rows of (hash of a text, vector)

Axes: N texts, U different texts, D embedding width.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from influence.files import model_sha256
from influence.models import demo_model
from influence.opinions.settings import AUTO, LONGEST, NO_ENCODER
from influence.sealed import kept_array, save_array
from influence.types import FloatArray, Progress, silent

FOLDER = "embeddings"
HASH, VECTOR = "hash", "vector"
MODULES = "modules.json"  # of a model saved by Sentence Transformers


@dataclass(frozen=True)
class Encoder:
    """A sentence encoder, by the folder or the Hub id it is loaded from."""

    name: str

    @cached_property
    def key(self) -> str:
        """What decides its embeddings, as a short name: its weights, its pooling, how long a text may be."""
        folder = Path(self.name)
        content = model_sha256(folder) if folder.is_dir() else self.name
        return hashlib.sha256(f"{LONGEST}\x00{content}".encode()).hexdigest()[:16]


def chosen_encoder(wanted: str, model: str) -> Encoder | None:
    """The encoder to use: the one that is named, else the workspace's own model where it is one, else the packaged one.

    None where none is wanted or there is none.
    """
    if wanted == NO_ENCODER:
        return None
    if wanted != AUTO:
        return Encoder(wanted)
    if (Path(model) / MODULES).is_file():
        return Encoder(model)
    packaged = demo_model()
    return None if packaged is None else Encoder(str(packaged))


def embeddings(workspace: Path, encoder: Encoder, texts: Sequence[str], device: str, progress: Progress = silent) -> FloatArray:
    """The embeddings of texts, rows of length 1, shape (N, D); those that no run has made yet are made and kept.

    Kept afterwards are the embeddings of these texts. Raises `ModelError` where the encoder cannot be loaded.
    """
    file = workspace / FOLDER / f"{encoder.key}.npy"
    hashes_N = np.array([hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32] for text in texts], dtype="S32")
    hashes_U, first_U, places_N = np.unique(hashes_N, return_index=True, return_inverse=True)
    kept = _kept(file)
    known = {} if kept is None else dict(zip(kept[HASH].tolist(), range(len(kept)), strict=True))
    at_U = np.array([known.get(hash, -1) for hash in hashes_U.tolist()])
    missing = np.flatnonzero(at_U < 0)
    if kept is not None and not len(missing):
        return np.asarray(kept[VECTOR][at_U], dtype=np.float32)[places_N]
    from influence.opinions.encoder import embed  # PyTorch takes seconds, which a ranking made again can do without

    made = embed(encoder.name, [texts[first_U[at]] for at in missing], device, progress)
    rows_U = np.zeros(len(hashes_U), dtype=[(HASH, "S32"), (VECTOR, np.float16, (made.shape[1],))])
    rows_U[HASH] = hashes_U
    rows_U[VECTOR][missing] = made
    if kept is not None:
        rows_U[VECTOR][at_U >= 0] = kept[VECTOR][at_U[at_U >= 0]]
    file.parent.mkdir(parents=True, exist_ok=True)
    save_array(file, rows_U)
    # What is kept is rounded, and so is what is used: the next run finds the same numbers.
    return np.asarray(rows_U[VECTOR], dtype=np.float32)[places_N]


def _kept(file: Path) -> npt.NDArray[np.void] | None:
    """The rows of a file; None where there is none or it is not what was written: they are made again."""
    rows_U = kept_array(file)
    if rows_U is None:
        return None
    whole = rows_U.dtype.names == (HASH, VECTOR) and rows_U.ndim == 1 and np.isfinite(rows_U[VECTOR]).all()
    return rows_U if whole else None


def pair_features(first_ND: FloatArray, second_ND: FloatArray) -> FloatArray:
    """One row of length 1 for a pair of texts: both embeddings, how far they differ, and their product, shape (N, 4 D)."""
    width = first_ND.shape[1]
    rows_NF = np.hstack([first_ND, second_ND, np.abs(first_ND - second_ND), first_ND * second_ND * np.sqrt(width)])
    normed_NF: FloatArray = (rows_NF / np.maximum(np.linalg.norm(rows_NF, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return normed_NF
