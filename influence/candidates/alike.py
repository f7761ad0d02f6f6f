"""How alike new rows are to the test sentences that are to be helped, by their words alone: a ranking that knows no model.

Axes: N candidates, n of a block, M test sentences.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from influence.types import FloatArray

BLOCK = 2_000  # candidates compared at once


def likeness(texts: Sequence[str], tests: Sequence[str]) -> FloatArray:
    """The largest tf-idf cosine of each text with any of the test sentences, 0 to 1, shape (N,).

    Term frequencies count as 1 + log; document frequencies are those among all these texts. 0 where no text holds a word.
    """
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    try:
        vectorizer.fit([*texts, *tests])
    except ValueError:  # no text holds a word
        return np.zeros(len(texts))
    tests_MV = vectorizer.transform(tests)
    blocks = (vectorizer.transform(texts[start : start + BLOCK]) for start in range(0, len(texts), BLOCK))
    found: FloatArray = np.concatenate([(block_nV @ tests_MV.T).max(axis=1).toarray().ravel() for block_nV in blocks])
    return found
