"""The first plane of an index held on a GPU, where queries then scan it.

Axes as in `postings`; A rows that a query asks for.
"""

from collections.abc import Iterable

import numpy as np
import torch

from influence.segments.compact import remainder_step
from influence.segments.plan import TOP, Segment
from influence.segments.postings import EXAMPLES, FIRST, REMAINDERS, ROWS, SCALES, Postings
from influence.segments.split import SplitSegments
from influence.types import FloatArray, IntArray

ROOM = 0.6  # of the GPU's free memory that an index may take
CHUNK = 1 << 18  # rows that are made into float32 at a time


class ResidentRows:
    """The rows of the kept positions, of every segment at every checkpoint, on a device."""

    def __init__(self, split: SplitSegments, device: torch.device) -> None:
        self._device, self._count = device, split.segments[-1].stop
        self._held = {
            (number, segment.number): {name: torch.from_numpy(array.copy()).to(device) for name, array in found}
            for number in range(split.checkpoints)
            for segment in split.segments
            for found in [split.postings(segment, number, TOP).scanned()]
        }

    @staticmethod
    def fits(split: SplitSegments, device: torch.device) -> bool:
        """Whether the device has room for them."""
        every = (split.postings(segment, number, TOP) for segment in split.segments for number in range(split.checkpoints))
        needed = sum(len(one) * (one.bytes_scanned + 4) for one in every)
        return needed <= ROOM * torch.cuda.mem_get_info(device)[0]

    def scan(self, asked: Iterable[tuple[int, Segment, Postings, IntArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Every example's score by the first plane, and how far it may be off, shape (N,) each.

        Asked are, for checkpoints and segments, the query's tokens and its gradients for them, learning rate included.
        """
        scores_N, errors_N = (torch.zeros(self._count, device=self._device) for _ in range(2))
        for number, segment, postings, tokens_K, query_KD in asked:
            held = self._held[number, segment.number]
            starts_K, stops_K = postings.blocks(tokens_K)
            words_A = torch.from_numpy(np.repeat(np.arange(len(tokens_K)), stops_K - starts_K)).to(self._device)
            rows_A = torch.from_numpy(_ranges(starts_K, stops_K)).to(self._device)
            query = torch.from_numpy(np.ascontiguousarray(query_KD)).to(self._device)
            lengths_K = torch.linalg.vector_norm(query, dim=1) * remainder_step(postings.width)
            for at in range(0, len(rows_A), CHUNK):
                rows, words = rows_A[at : at + CHUNK], words_A[at : at + CHUNK]
                examples = held[EXAMPLES][rows].long() + segment.start
                plane = held[ROWS if postings.exact else FIRST][rows].float()
                products = torch.linalg.vecdot(plane, query[words])
                if not postings.exact:
                    scales = held[SCALES][rows]
                    products = products * scales
                    errors_N.index_add_(0, examples, scales * held[REMAINDERS][rows].float() * lengths_K[words])
                scores_N.index_add_(0, examples, products)
        return scores_N.cpu().numpy(), errors_N.cpu().numpy()


def _ranges(starts_K: IntArray, stops_K: IntArray) -> IntArray:
    """The numbers from each start to its stop, one after the other."""
    counts_K = stops_K - starts_K
    before_K = np.cumsum(counts_K) - counts_K
    return np.repeat(starts_K - before_K, counts_K) + np.arange(int(counts_K.sum()))
