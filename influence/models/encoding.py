"""A tokenized data set as a few flat arrays: tokens, and the whole words of the user's text that they belong to.

Axes: N examples, R token rows of all examples one after the other, W words likewise, B and L a padded batch.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from influence.data import Span, is_common, whole_words
from influence.errors import DataError
from influence.files import load_array
from influence.growing import GrowingArray
from influence.models.spelling import Spelling
from influence.types import BoolArray, IntArray, Progress, StageKind, silent

if TYPE_CHECKING:  # readers of an encoding need no tokenizer, so they should not wait for one to be imported
    from transformers import PreTrainedTokenizerFast

TOKENIZE_BATCH = 2_000
NO_TYPES = -1
FEW = 8


@dataclass(frozen=True)
class Encoding:
    """Token rows and whole words of N examples, padding left out."""

    offsets_N1: IntArray  # example n owns token rows offsets[n] to offsets[n + 1]
    tokens_R: IntArray
    types_R: IntArray  # token_type_ids: 1 in the second text of a pair; NO_TYPES everywhere where the tokenizer makes none
    special_R: BoolArray  # start and end tokens that the tokenizer added
    words_R: IntArray  # index of the row's word within its example
    word_offsets_N1: IntArray
    word_sides_W: IntArray  # 0 the text, 1 the second text, -1 a start or end token
    word_starts_W: IntArray  # character span in that text; 0, 0 for start and end tokens
    word_ends_W: IntArray
    truncated_N: BoolArray  # the text was cut at the maximal length

    def __len__(self) -> int:
        return len(self.truncated_N)

    @property
    def lengths_N(self) -> IntArray:
        """How many tokens each example has, start and end included."""
        return np.diff(self.offsets_N1)

    def row_examples(self) -> IntArray:
        """The example each token row belongs to, shape (R,)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths_N)

    def save(self, folder: Path) -> None:
        """Write each array as one .npy file into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "Encoding":
        """Open the arrays of `save`, memory-mapped. Raises `WorkspaceError` where one is not what was written."""
        return cls(**{field.name: load_array(folder / f"{field.name}.npy") for field in fields(cls)})


def long_text(texts: Sequence[str], tokens: int) -> str:
    """Texts one after the other until they have so many words between spaces, and so as many tokens at least."""
    taken, words = [], 0
    for text in itertools.cycle(texts):
        if words >= tokens:
            break
        taken.append(text)
        words += max(len(text.split()), 1)
    return " ".join(taken)


def encode(
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    max_length: int,
    stage: str = StageKind.TOKENIZE,
    progress: Progress = silent,
) -> Encoding:
    """Tokenize texts (or pairs), cut at `max_length` tokens, keeping for each token the whole word it came from.

    What is spelt like a special token, such as `[SEP]`, is text and read as such.

    Raises `DataError` for a text of which the tokenizer leaves nothing, not even a start or end token.
    """
    blocks = list(_blocks(tokenizer, texts, pairs, max_length, stage, progress))
    names = [field.name for field in fields(Encoding)]
    return Encoding(**{name: np.concatenate([getattr(block, name) for block in blocks]) for name in names})


def write_encoding(
    folder: Path,
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    max_length: int,
    stage: str = StageKind.TOKENIZE,
    progress: Progress = silent,
) -> None:
    """What `encode` makes, written into a folder for `Encoding.load` as it is made: memory does not grow with the texts."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files: dict[str, GrowingArray] = {}
        for block in _blocks(tokenizer, texts, pairs, max_length, stage, progress):
            for field in fields(Encoding):
                values_X: npt.NDArray[Any] = getattr(block, field.name)
                if field.name not in files:
                    files[field.name] = stack.enter_context(GrowingArray(folder / f"{field.name}.npy", values_X.dtype))
                files[field.name].append(values_X)


def _blocks(
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    max_length: int,
    stage: str,
    progress: Progress,
) -> Iterator[Encoding]:
    """The encoding block by block: joined, array by array, the blocks are the whole."""
    typed, spelling = "token_type_ids" in tokenizer.model_input_names, Spelling(tokenizer)
    tokens, words = 0, 0  # of the blocks before
    if not len(texts):
        yield _joined([])
    for start in range(0, len(texts), TOKENIZE_BATCH):
        stop = min(start + TOKENIZE_BATCH, len(texts))
        first, second = list(texts[start:stop]), None if pairs is None else list(pairs[start:stop])
        examples = []
        for position, encoded in enumerate(spelling.encodings(first, second, max_length)):
            sides = (first[position], "" if second is None else second[position])
            if not encoded.ids:
                which = f"number {start + position + 1:,} of the texts"
                raise DataError(f"the tokenizer leaves nothing of the text {sides[0]!r} ({which}); delete it")
            examples.append(_encode_example(encoded, sides, typed=typed))
        found = _joined(examples)
        offsets_N1, word_offsets_N1 = found.offsets_N1 + tokens, found.word_offsets_N1 + words
        tokens, words = int(offsets_N1[-1]), int(word_offsets_N1[-1])
        first_of_all = slice(0 if start == 0 else 1, None)  # where a block ends, the next begins
        yield replace(found, offsets_N1=offsets_N1[first_of_all], word_offsets_N1=word_offsets_N1[first_of_all])
        progress(stage, stop, len(texts))


class _Example(NamedTuple):
    tokens: list[int]
    types: list[int]
    special: list[int]
    words: list[int]
    spans: list[Span]
    truncated: bool


def _encode_example(encoded: Any, texts: tuple[str, str], *, typed: bool) -> _Example:
    special = encoded.special_tokens_mask
    sides = (None if added else side for side, added in zip(encoded.sequence_ids, special, strict=True))
    words, spans = whole_words(sides, encoded.word_ids, encoded.offsets, texts)
    types = encoded.type_ids if typed else [NO_TYPES] * len(encoded.ids)
    return _Example(encoded.ids, types, special, words, spans, bool(encoded.overflowing))


def _joined(examples: list[_Example]) -> Encoding:
    def flat(values: Iterator[Sequence[int]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return np.fromiter((value for row in values for value in row), dtype=dtype)

    def offsets(lengths: list[int]) -> IntArray:
        return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    spans = flat((span for e in examples for span in e.spans), np.int32).reshape(-1, 3)
    return Encoding(
        offsets_N1=offsets([len(e.tokens) for e in examples]),
        tokens_R=flat((e.tokens for e in examples), np.int32),
        types_R=flat((e.types for e in examples), np.int8),
        special_R=flat((e.special for e in examples), np.bool_),
        words_R=flat((e.words for e in examples), np.int32),
        word_offsets_N1=offsets([len(e.spans) for e in examples]),
        word_sides_W=spans[:, 0].astype(np.int8),
        word_starts_W=spans[:, 1],
        word_ends_W=spans[:, 2],
        truncated_N=np.array([e.truncated for e in examples], dtype=np.bool_),
    )


def common_tokens(tokenizer: "PreTrainedTokenizerFast", size: int) -> BoolArray:
    """Which token ids are stop words, punctuation, white space or special tokens, shape (size,)."""
    common_V = np.zeros(size, dtype=np.bool_)
    for token, index in tokenizer.get_vocab().items():
        if index < size:
            # What the token stands for: byte-level vocabularies spell it in letters of their own.
            common_V[index] = is_common(tokenizer.convert_tokens_to_string([token]).strip(" \u2581"))
    common_V[[index for index in tokenizer.all_special_ids if index < size]] = True
    return common_V


class Batch(NamedTuple):
    """Examples padded to a common length."""

    examples_B: IntArray
    tokens_BL: IntArray
    real_BL: BoolArray
    types_BL: IntArray | None  # None: the tokenizer makes none, so the model is given none


def pad(encoding: Encoding, examples_B: IntArray, pad_token: int, *, left: bool = False) -> Batch:
    """The token ids, mask and types of some examples, padded on the right, or on the left."""
    starts_B = encoding.offsets_N1[examples_B]
    lengths_B = encoding.offsets_N1[examples_B + 1] - starts_B
    longest = int(lengths_B.max())
    columns_BL = np.arange(longest) - (longest - lengths_B)[:, None] * left
    real_BL = (columns_BL >= 0) & (columns_BL < lengths_B[:, None])
    rows_BL = np.where(real_BL, starts_B[:, None] + columns_BL, 0)
    types_BL = np.where(real_BL, encoding.types_R[rows_BL], 0).astype(np.int64)
    return Batch(
        examples_B,
        np.where(real_BL, encoding.tokens_R[rows_BL], pad_token).astype(np.int64),
        real_BL,
        None if (types_BL == NO_TYPES).any() else types_BL,
    )


def few_examples(lengths_N: IntArray) -> IntArray:
    """A few examples from the shortest to the longest, for trying a model out."""
    return np.argsort(lengths_N, kind="stable")[:: max(1, len(lengths_N) // FEW)][:FEW]


def of_one_length(encoding: Encoding, examples_B: IntArray) -> Batch:
    """Examples that need no padding."""
    batch = pad(encoding, examples_B, 0)
    assert batch.real_BL.all()
    return batch


def length_buckets(lengths_N: IntArray, *, batch_tokens: int) -> list[IntArray]:
    """Examples of one length together, each batch at most `batch_tokens` tokens (or one example)."""
    order_N = np.argsort(lengths_N, kind="stable")
    edges = np.flatnonzero(np.diff(lengths_N[order_N], prepend=-1, append=-1)).tolist()
    batches: list[IntArray] = []
    for start, stop in itertools.pairwise(edges):
        size = max(1, batch_tokens // int(lengths_N[order_N[start]]))
        batches += [order_N[at : min(at + size, stop)] for at in range(start, stop, size)]
    return batches
