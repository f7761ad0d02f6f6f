"""Training examples with words masked, tokenized again: what `apply` would write, as the model would read it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from influence.data import find_to_mask, mask
from influence.errors import DataError
from influence.models import encode, load_tokenizer
from influence.types import BoolArray, IntArray
from influence.workspace import WorkspaceReader

Masked = tuple[int, tuple[str, ...]]  # training row, words


class TokenRows(NamedTuple):
    """The tokens of one example."""

    tokens: IntArray
    types: IntArray
    real: BoolArray

    def padded_to(self, length: int, pad_token: int) -> "TokenRows":
        """The same with padding behind up to a length; as it is where it is longer."""
        missing = max(0, length - len(self.tokens))
        return TokenRows(
            np.concatenate([self.tokens, np.full(missing, pad_token, dtype=self.tokens.dtype)]),
            np.concatenate([self.types, np.zeros(missing, dtype=self.types.dtype)]),
            np.concatenate([self.real, np.zeros(missing, dtype=np.bool_)]),
        )


def masked_rows(workspace: WorkspaceReader, masked: Iterable[Masked]) -> dict[Masked, TokenRows]:
    """Tokens of every training example with its words deleted from its text.

    Raises `DataError` for a word that does not occur in its example, and where no text would be left.
    """
    wanted = sorted(set(masked))
    examples = workspace.store.examples("train", {row for row, _ in wanted})
    texts, pairs = [], []
    for row, words in wanted:
        example = examples[row]
        sides = [example.text] if example.text_pair is None else [example.text, example.text_pair]
        for word in words:
            if not any(find_to_mask(text, word) for text in sides):
                raise DataError(f"cannot mask {word!r} in example {example.id!r}: it does not occur there")
        left = [mask(text, words) for text in sides]
        if not all(text.strip() for text in left):
            raise DataError(f"masking leaves no text of example {example.id!r}: remove it instead")
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
