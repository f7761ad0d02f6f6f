"""Words masked where the model reads them: its mask token in the place of each of their tokens, every other token as it was.

So a word goes from all its occurrences together, as eq. 4 sums over them, and nothing else moves: no neighbours are fused, no
position changes. A text with the word taken out (`influence/data/masking.py`) is cut into tokens anew, and may not be the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from influence.models import Spelling, mask_token
from influence.types import IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Spans = Sequence[Sequence[tuple[int, int]]]  # characters to mask, of each text of an example


def mask_in_place(
    tokenizer: "PreTrainedTokenizerFast", texts: Sequence[Sequence[str]], spans: Sequence[Spans], *, max_length: int
) -> list[IntArray]:
    """The tokens of each example (one text or two) with the mask token where a token holds a character of a span.

    As `encode` makes them, cut at `max_length`; start and end tokens stay.
    """
    token, _ = mask_token(tokenizer)
    pairs = [own[1] for own in texts] if texts and len(texts[0]) > 1 else None
    found = []
    encodings = Spelling(tokenizer).encodings([own[0] for own in texts], pairs, max_length)
    for encoded, own, hit in zip(encodings, texts, spans, strict=True):
        masked = [
            side is not None and _meets(own[side], start, end, hit[side])
            for side, (start, end) in zip(encoded.sequence_ids, encoded.offsets, strict=True)
        ]
        found.append(np.where(masked, token, np.array(encoded.ids, dtype=np.int32)))
    return found


def _meets(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a token's characters, white space around them left aside, have one of the spans."""
    piece = text[start:end]
    start, end = start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
    return start < end and any(start < stop and first < end for first, stop in spans)
