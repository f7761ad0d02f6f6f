"""Which records speak of which example, and which actions have been taken back: an index of a log, in a few bytes a record."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from influence.types import IntArray


class History:
    """The index. What was there when the log was opened lies in arrays sorted by example; what came since, in lists."""

    def __init__(self, example_ids: pa.ChunkedArray, seqs: IntArray, undone: Iterable[int]) -> None:
        encoded: Any = example_ids.combine_chunks().dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        self._seqs = np.asarray(seqs, dtype=np.int32)[order]
        self._starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
        self._places: dict[str, int] = {name: place for place, name in enumerate(names)}
        self._later: dict[str, list[int]] = {}
        self._undone = set(undone)

    def add(self, seq: int, example_ids: Iterable[str]) -> None:
        """An action that decides, flags, skips or remarks on examples."""
        for id in example_ids:
            self._later.setdefault(id, []).append(seq)

    def turn(self, target: int, *, undone: bool) -> None:
        """An action is taken back, or done again."""
        (self._undone.add if undone else self._undone.discard)(target)

    def stands(self, seq: int) -> bool:
        """Whether an action has not been taken back."""
        return seq not in self._undone

    def of(self, example_id: str) -> list[int]:
        """The records of the actions that speak of an example and stand, in order."""
        place = self._places.get(example_id)
        found = [] if place is None else self._seqs[self._starts[place] : self._starts[place + 1]].tolist()
        return [seq for seq in [*dict.fromkeys(found), *self._later.get(example_id, ())] if seq not in self._undone]
