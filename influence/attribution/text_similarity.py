"""How alike two texts are, whatever a model makes of them: tf-idf (scikit-learn's usual settings) and Okapi BM25.

Words are lower case, of two or more letters or digits; a character of a script that puts no spaces between words is a word.

Axes: N training texts, T words that they hold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from influence.data import COUNTED_WORD
from influence.types import FloatArray

# Of BM25: how soon further occurrences of a word stop counting, and how far a text's length is held against it.
K1, B = 1.2, 0.75


class TextSimilarity:
    """The training texts as tf-idf vectors, fitted when made: some seconds for 50,000 texts, so once a process.

    A text becomes a vector of its words, each counted and weighted by how rare it is among the training texts:
    tf · (1 + ln((1 + N) / (1 + df))), divided by the vector's length (Salton and Buckley).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(token_pattern=COUNTED_WORD)
        try:
            self._vectors_NT = self._vectorizer.fit_transform(texts)
        except ValueError:  # not one word in all the texts: nothing is like anything
            self._vectorizer = TfidfVectorizer().fit(["words"])
            self._vectors_NT = csr_matrix((len(texts), 1))

    def to(self, text: str) -> FloatArray:
        """Cosine of a text with every training text, 0 to 1, shape (N,); 0 where no word is shared."""
        return _product(self._vectors_NT, self._vectorizer.transform([text]))


class Bm25:
    """The training texts as the documents of Okapi BM25 (Robertson and Zaragoza 2009), fitted when made.

    BM25(x, x′) = Σ_w qtf · ln(1 + (N − df + ½) / (df + ½)) · tf (k₁ + 1) / (tf + k₁ (1 − b + b |x| / mean length)),
    over the words w of the query x′: tf times in x, qtf times in x′, in df of the N training texts; k₁ = 1.2, b = 0.75. The
    1 in the logarithm keeps words of more than half the texts from counting against a text, as in Lucene.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import CountVectorizer

        self._vectorizer = CountVectorizer(token_pattern=COUNTED_WORD)
        try:
            counts_NT = self._vectorizer.fit_transform(texts).astype(np.float64)
        except ValueError:  # not one word in all the texts
            self._vectorizer, counts_NT = CountVectorizer().fit(["words"]), csr_matrix((len(texts), 1))
        lengths_N = np.asarray(counts_NT.sum(axis=1)).ravel()
        norms_N = K1 * (1 - B + B * lengths_N / max(lengths_N.mean(), 1))
        df_T = np.bincount(counts_NT.indices, minlength=counts_NT.shape[1])
        idf_T = np.log1p((len(texts) - df_T + 0.5) / (df_T + 0.5))
        tf = counts_NT.data
        rows = np.repeat(np.arange(len(texts)), np.diff(counts_NT.indptr))
        counts_NT.data = idf_T[counts_NT.indices] * tf * (K1 + 1) / (tf + norms_N[rows])
        self._weights_NT = counts_NT

    def to(self, text: str) -> FloatArray:
        """BM25 of every training text for a text as the query, 0 or more, shape (N,); 0 where no word is shared."""
        return _product(self._weights_NT, self._vectorizer.transform([text]))


def _product(rows_NT: Any, query_1T: Any) -> FloatArray:
    return np.asarray((rows_NT @ query_1T.T).toarray(), dtype=np.float64).ravel()
