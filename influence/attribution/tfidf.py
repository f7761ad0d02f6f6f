"""tf-idf similarity of texts, by scikit-learn's usual settings.

A text becomes a vector of its words (lower case, two or more letters or digits), each counted and weighted by how rare
it is among the training texts: tf · (1 + ln((1 + N) / (1 + df))), divided by the vector's length (Salton and Buckley).

Axes: N training texts.
"""

from collections.abc import Sequence

import numpy as np

from influence.types import FloatArray


class TextSimilarity:
    """The training texts as tf-idf vectors, fitted when made: some seconds for 50,000 texts, so once a process."""

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer()
        try:
            self._vectors_NT = self._vectorizer.fit_transform(texts)
        except ValueError:  # not one word in all the texts: nothing is like anything
            self._vectorizer = TfidfVectorizer().fit(["words"])
            self._vectors_NT = csr_matrix((len(texts), 1))

    def to(self, text: str) -> FloatArray:
        """Cosine of a text with every training text, 0 to 1, shape (N,); 0 where no word is shared."""
        return np.asarray((self._vectors_NT @ self._vectorizer.transform([text]).T).toarray()).ravel()
