"""What the opinions on one build are made of: texts, labels, embeddings, words, and who is near whom; each made once.

What depends on the texts alone is kept, so that a ranking is made again in seconds when labels were decided:

    WORKSPACE/embeddings/                     see `embeddings`
    BUILD/opinions/nearest-KIND.npy           the nearest examples by embeddings (of one encoder) and by words

Axes: N training examples, M test examples, K neighbours, F features, Y labels.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from influence.files import load_array
from influence.models import Encoding
from influence.opinion_files import Heard, heard
from influence.opinions.embeddings import chosen_encoder, embeddings, pair_features
from influence.opinions.held_out import fold_of, same_text
from influence.opinions.nearest import nearest
from influence.opinions.settings import OpinionSettings
from influence.opinions.words import joined, tfidf
from influence.sealed import kept_array, save_array
from influence.types import FloatArray, IntArray, Progress
from influence.workspace import WorkspaceReader

FOLDER = "opinions"
FOLDS = 5


class Material:
    """The training and test examples of a build, as the opinions see them."""

    def __init__(self, workspace: WorkspaceReader, settings: OpinionSettings, device: str, progress: Progress) -> None:
        self.workspace, self.settings, self.device, self.progress = workspace, settings, device, progress
        self.n_labels = len(workspace.info.labels)
        self.encoder = chosen_encoder(settings.encoder, workspace.info.model)

    def labels(self, split: str) -> IntArray:
        """The given labels of a split."""
        labels: IntArray = load_array(self.workspace.build / "index" / split / "labels.npy")
        return labels

    @cached_property
    def heard(self) -> list[Heard]:
        """What names of files say of the training examples; those that are silent about all of them left out."""
        return [one for one in heard(self.workspace) if len(one.positions_S)]

    @cached_property
    def copies_N(self) -> IntArray:
        """For every training example the first one with the same text."""
        return same_text(Encoding.load(self.workspace.build / "index" / "train" / "encoding"))

    @cached_property
    def folds_N(self) -> IntArray:
        """The part of the training examples that each is judged with."""
        return fold_of(self.copies_N, self.labels("train"), FOLDS, np.random.default_rng(self.settings.held_out.seed))

    @cached_property
    def texts(self) -> dict[str, tuple[list[str], list[str] | None]]:
        """The texts of both splits, and their second texts."""

        def sides(split: str) -> tuple[list[str], list[str] | None]:
            rows = self.workspace.store.texts(split)
            return [text for text, _ in rows], [pair or "" for _, pair in rows] if self.workspace.info.has_pairs else None

        return {split: sides(split) for split in ("train", "test")}

    @cached_property
    def embedded(self) -> dict[str, FloatArray] | None:
        """Features of both splits from the sentence encoder, rows of length 1; None without one.

        The test split's are made only where its labels are to be learnt from.
        """
        if self.encoder is None:
            return None
        splits = ["train", "test"] if self.settings.test_labels_checked else ["train"]
        sides = [side for split in splits for side in self.texts[split] if side is not None]
        rows = embeddings(self.workspace.path, self.encoder, [t for side in sides for t in side], self.device, self.progress)
        parts = np.split(rows, np.cumsum([len(side) for side in sides])[:-1])
        if not self.workspace.info.has_pairs:
            return dict(zip(splits, parts, strict=True))
        return {split: pair_features(*parts[2 * at : 2 * at + 2]) for at, split in enumerate(splits)}

    @cached_property
    def _tfidf(self) -> tuple[Any, Any] | None:
        return tfidf(joined(*self.texts["train"]))

    @property
    def words_NV(self) -> Any | None:
        """Tf-idf of the training texts, a sparse matrix of rows of length 1; None where there are no words."""
        return None if self._tfidf is None else self._tfidf[1]

    @cached_property
    def words_MV(self) -> Any | None:
        """The same of the test texts, by the words of training."""
        return None if self._tfidf is None else self._tfidf[0].transform(joined(*self.texts["test"]))

    @cached_property
    def nearest_by_embedding_NK(self) -> IntArray | None:
        """The nearest training examples by embedding."""
        if self.embedded is None or self.encoder is None:
            return None
        return self._nearest(self.encoder.key, self.embedded["train"])

    @cached_property
    def nearest_by_words_NK(self) -> IntArray | None:
        """The nearest training examples by tf-idf."""
        return None if self.words_NV is None else self._nearest("words", self.words_NV)

    def _nearest(self, kind: str, features: Any) -> IntArray:
        file = self.workspace.build / FOLDER / f"nearest-{kind}.npy"
        kept = _kept(file, features.shape[0])
        if kept is None:
            kept = nearest(features, self.copies_N)
            file.parent.mkdir(exist_ok=True)
            save_array(file, kept)
        return kept


def _kept(file: Path, count: int) -> IntArray | None:
    found = kept_array(file)
    if found is None:
        return None
    whole = found.ndim == 2 and len(found) == count and found.dtype == np.int32
    return found if whole and found.min(initial=0) >= -1 and found.max(initial=0) < count else None
