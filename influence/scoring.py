"""Scores of every training example for many test examples at once, by any method of the table.

Sign: above 0 is a proponent (training on it lowered the loss on the test example's own label), below 0 an opponent.
Axes: N training examples, M test examples asked about.
"""

from collections.abc import Sequence

import numpy as np

from influence.encoding import FloatArray, Progress, silent
from influence.errors import QueryError
from influence.methods import get_method
from influence.workspace import Workspace

BLOCK_BYTES = 128 << 20  # of the block of word scores held at once, besides the answer


def scores_of(
    workspace: Workspace,
    method_id: str,
    test_rows: Sequence[int],
    *,
    with_bias: bool = False,
    progress: Progress | None = None,
) -> FloatArray:
    """The score of every training example for each of some test examples, float64 of shape (M, N).

    `test_rows` are positions in the test split, in any order; each is explained on its own label. `with_bias` puts the
    biases in, where a method is about a layer that has them. Raises `QueryError` for an unknown method or row.
    """
    method, told = get_method(method_id), progress or silent
    rows = [int(row) for row in test_rows]
    for row in rows:
        if not 0 <= row < workspace.info.n_test:
            raise QueryError(f"test row {row}: workspace {workspace.name!r} has rows 0 to {workspace.info.n_test - 1}")
    scores_MN = np.zeros((len(rows), workspace.info.n_train))
    size = 1 if method.selection is None else int(np.clip(BLOCK_BYTES // (4 * workspace.info.n_train), 1, 256))
    for start in range(0, len(rows), size):
        queries = [workspace.queries[row] for row in rows[start : start + size]]
        if method.selection is not None:
            scores_MN[start : start + size] = workspace.index.word_scores_many(queries, method.selection)
        else:
            scores_MN[start] = method.score(workspace.index, queries[0]).sum(axis=0)
        told(f"scores by {method.id}", min(start + size, len(rows)), len(rows))
    return scores_MN
