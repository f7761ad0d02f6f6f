"""Training examples with words masked, tokenized again: what `apply` would write, as the model would read it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from influence.data import masked as masked_texts, texts_of
from influence.models import encode, load_tokenizer
from influence.types import BoolArray, IntArray
from influence.workspace import WorkspaceReader

Masked = tuple[int, tuple[str, ...]]  # training row, words


class TokenRows(NamedTuple):
    """The tokens of one example."""

    tokens: IntArray
    types: IntArray
    real: BoolArray

    def padded_to(self, length: int, pad_token: int, *, left: bool) -> "TokenRows":
        """The same, padded at the end (or the start) to a length; unchanged where it is longer."""
        missing = max(0, length - len(self.tokens))
        ends = (missing, 0) if left else (0, missing)
        return TokenRows(np.pad(self.tokens, ends, constant_values=pad_token), np.pad(self.types, ends), np.pad(self.real, ends))


def masked_rows(workspace: WorkspaceReader, masked: Iterable[Masked]) -> dict[Masked, TokenRows]:
    """Tokens of every training example with its words deleted from its text.

    Raises `DataError` for a word that does not occur in its example, and where no text would be left.
    """
    wanted = sorted(set(masked))
    examples = workspace.store.examples("train", {row for row, _ in wanted})
    texts, pairs = [], []
    for row, words in wanted:
        example = examples[row]
        left = masked_texts(str(example.id), texts_of(example), words)
        texts.append(left[0])
        pairs.append(left[-1])
    if not wanted:
        return {}
    tokenizer = load_tokenizer(str(workspace.build / "checkpoints" / "tokenizer"))
    longest = min(workspace.info.max_length, tokenizer.model_max_length)
    encoding = encode(tokenizer, texts, pairs if workspace.info.has_pairs else None, max_length=longest)
    found = {}
    for number, change in enumerate(wanted):
        rows = slice(int(encoding.offsets_N1[number]), int(encoding.offsets_N1[number + 1]))
        tokens = encoding.tokens_R[rows]
        found[change] = TokenRows(tokens, encoding.types_R[rows], np.ones(len(tokens), dtype=np.bool_))
    return found
