"""Examples alike: the same as by a dictionary of all that an example is, whatever the hashes say."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from influence.gradients import alike
from influence.gradients.alike import first_alike
from influence.models import Encoding
from influence.opinions.held_out import same_text
from influence.types import IntArray

Example = tuple[tuple[tuple[int, int], ...], int]  # (token, type) of every place, and the label
EXAMPLES = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([-1, 0, 1])), max_size=4).map(tuple), st.integers(-1, 1)),
    min_size=1,
    max_size=40,
)


def encoded(examples: list[Example]) -> tuple[Encoding, IntArray]:
    """Examples as an encoding of which only tokens, types and offsets are of interest, and their labels."""
    rows = [pair for places, _ in examples for pair in places]
    offsets = np.cumsum([0, *(len(places) for places, _ in examples)])
    none = np.zeros(0, dtype=np.int32)
    tokens, types = (np.array([row[at] for row in rows], dtype=kind) for at, kind in ((0, np.int32), (1, np.int8)))
    cut = np.zeros(len(examples), dtype=np.bool_)
    return Encoding(offsets, tokens, types, none, none, none, none, none, none, cut), np.array([label for _, label in examples])


def by_dictionary(examples: list[Example]) -> list[int]:
    seen: dict[Example, int] = {}
    return [seen.setdefault(example, number) for number, example in enumerate(examples)]


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@settings(deadline=None)
@given(examples=EXAMPLES)
def test_the_first_alike_is_what_a_dictionary_says(block: int, examples: list[Example]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "BLOCK_ROWS", block)
        assert first_alike(*encoded(examples)).tolist() == by_dictionary(examples)


@pytest.mark.parametrize("bits", [0, 1, 3])
@settings(deadline=None)
@given(examples=EXAMPLES)
def test_hashes_that_collide_change_nothing(bits: int, examples: list[Example]) -> None:
    whole = alike._hashes

    def poor(encoding: Encoding, labels_N: IntArray) -> tuple[alike.Hashes, alike.Hashes]:
        one_N, other_N = (hash_N % np.uint64(1 << bits) for hash_N in whole(encoding, labels_N))
        return one_N, other_N

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "_hashes", poor)
        assert first_alike(*encoded(examples)).tolist() == by_dictionary(examples)


def test_a_hundred_thousand_examples_without_one_collision() -> None:
    """The order of tokens, their types and the label each count: otherwise examples would meet here by the thousand."""
    generator = np.random.default_rng(0)
    examples = [
        (tuple(zip(generator.integers(0, 3, 5).tolist(), [0] * 5, strict=True)), int(label))
        for label in generator.integers(0, 2, 100_000)
    ]
    encoding, labels_N = encoded(examples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "_settle", None)  # so that a collision would end in an error
        assert first_alike(encoding, labels_N).tolist() == by_dictionary(examples)


@settings(deadline=None)
@given(examples=EXAMPLES)
def test_texts_are_the_same_whatever_their_types_and_labels(examples: list[Example]) -> None:
    tokens = [tuple(token for token, _ in places) for places, _ in examples]
    assert same_text(encoded(examples)[0]).tolist() == [tokens.index(one) for one in tokens]
