"""tf-idf similarity of texts, by scikit-learn's usual settings, kept on disk beside a build.

A text becomes a vector of its words (lower case, two or more letters or digits), each counted and weighted by how rare
it is among the training texts: tf · (1 + ln((1 + N) / (1 + df))), divided by the vector's length (Salton and Buckley).

Axes: N training texts, T terms.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from influence.files import load_array
from influence.types import FloatArray

ARRAYS = ("data", "indices", "indptr")


class TextSimilarity:
    """The training texts as tf-idf vectors."""

    def __init__(self, vectorizer: Any, vectors_NT: Any) -> None:
        self._vectorizer, self.vectors_NT = vectorizer, vectors_NT

    def to(self, text: str) -> FloatArray:
        """Cosine of a text with every training text, 0 to 1, shape (N,); 0 where no word is shared."""
        return np.asarray((self.vectors_NT @ self._vectorizer.transform([text]).T).toarray()).ravel()


def text_similarity(texts: Callable[[], list[str]], folder: Path | None = None) -> TextSimilarity:
    """The training texts' vectors, read from `folder` if they are there, else computed and written to it."""
    if folder is not None and folder.is_dir():
        return _load(folder)
    found = _fit(texts())
    if folder is not None:
        _save(found, folder)
    return found


def _fit(texts: list[str]) -> TextSimilarity:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer()
    try:
        return TextSimilarity(vectorizer, vectorizer.fit_transform(texts))
    except ValueError:  # not one word in all the texts: nothing is like anything
        vectorizer = TfidfVectorizer().fit(["words"])
        return TextSimilarity(vectorizer, csr_matrix((len(texts), 1)))


def _save(found: TextSimilarity, folder: Path) -> None:
    # Written under another name and moved there whole. A folder that cannot be written to only costs the time again.
    unfinished = folder.with_name(folder.name + ".tmp")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name in ARRAYS:
            np.save(unfinished / f"{name}.npy", getattr(found.vectors_NT, name), allow_pickle=False)
        np.save(unfinished / "idf.npy", found._vectorizer.idf_, allow_pickle=False)
        terms = found._vectorizer.get_feature_names_out().tolist()
        (unfinished / "terms.json").write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        unfinished.rename(folder)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)


def _load(folder: Path) -> TextSimilarity:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    terms = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
    vectorizer = TfidfVectorizer(vocabulary=terms)
    vectorizer.idf_ = load_array(folder / "idf.npy")
    data, indices, indptr = (load_array(folder / f"{name}.npy") for name in ARRAYS)
    return TextSimilarity(vectorizer, csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, len(terms))))
