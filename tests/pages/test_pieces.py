"""Small functions behind the screen: cutting texts into pieces, numbers, escaping."""

import random

import pytest
from hypothesis import given, strategies as st

from pages.ui.frame import numbers, render
from pages.ui.parts import explanation_board


@given(st.text(max_size=900), st.data())
def test_pieces_join_to_the_text_whatever_is_lit_or_folded(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    spans = [(index, start, end) for index, (start, end) in enumerate(zip(cuts[::2], cuts[1::2], strict=False))]
    read_to = data.draw(st.integers(0, len(text)))
    pieces = explanation_board.fold(explanation_board.pieces_of(text, spans, read_to=read_to))
    assert "".join(piece[0] for piece in pieces) == text
    assert all(piece[0] for piece in pieces)
    assert {piece[1]: piece[0] for piece in pieces if piece[1] >= 0} == {
        index: text[start:end] for index, start, end in spans if end > start
    }


def test_long_texts_fold_around_their_lit_words():
    words = [f"word{number}" for number in range(200)]
    text = " ".join(words)
    start = text.index("word100")
    pieces = explanation_board.fold(explanation_board.pieces_of(text, [(7, start, start + 7)], read_to=len(text)))
    visible = "".join(piece[0] for piece in pieces if piece[2] == explanation_board.SHOWN)
    assert text.startswith(pieces[0][0])
    assert "word100" in visible
    assert "word99 word100 word101" in visible
    assert len(visible) < 300


def test_short_texts_do_not_fold():
    text = "a short text with one lit word"
    assert all(
        kind == explanation_board.SHOWN
        for _, _, kind in explanation_board.fold(explanation_board.pieces_of(text, [(3, 2, 7)], read_to=len(text)))
    )


@pytest.mark.parametrize(
    ("sign", "joined"),
    [("👩\u200d🚀", "\u200d"), ("e\u0301", "\u0301"), ("👍🏽", "🏽"), ("न\u093f", "\u093f"), ("❤\ufe0f", "\ufe0f")],
)
def test_texts_without_spaces_fold_between_signs_and_not_inside_one(sign, joined):
    for shift in range(4):
        text = "x" * shift + sign * 400
        middle = shift + 200 * len(sign)
        pieces = explanation_board.fold(explanation_board.pieces_of(text, [(0, middle, middle + len(sign))], read_to=len(text)))
        assert {piece[2] for piece in pieces} == {explanation_board.SHOWN, explanation_board.FOLDED}
        assert not any(piece[0].startswith(joined) or piece[0].endswith("\u200d") for piece in pieces)


def test_what_was_cut_off_stays_marked_where_it_is_folded():
    pieces = explanation_board.fold(explanation_board.pieces_of("read " + "and not this " * 60, [(0, 0, 4)], read_to=4))
    assert [kind for _, _, kind in pieces] == [explanation_board.SHOWN, explanation_board.UNREAD, explanation_board.FOLDED_UNREAD]


def test_what_was_cut_off_is_marked():
    assert explanation_board.pieces_of("read this, not that", [(0, 0, 4)], read_to=9) == [
        ("read", 0, explanation_board.SHOWN),
        (" this", -1, explanation_board.SHOWN),
        (", not that", -1, explanation_board.UNREAD),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.0123456, "+0.0123"), (-0.0123456, "−0.0123"), (1.0, "+1.00"), (123.4, "+123"),
        (-4.567e-5, "−4.57×10⁻⁵"), (1234567.0, "+1.23×10⁶"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_scores_read_well(value, text):
    assert numbers.score(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (-0.0, "0%"),
        (0.0001, "<0.1%"),
        (0.004, "0.4%"),
        (0.5, "50%"),
        (0.9951, "99.5%"),
        (0.99951, ">99.9%"),
        (1, "100%"),
    ],
)
def test_probabilities_never_round_to_certainty(value, text):
    assert numbers.probability(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(1, 4, "25%"), (-1, 4, "−25%"), (-1, -4, "25%"), (0, 0, "0%"), (1e-9, -4, "0%")]
)
def test_shares(part, whole, text):
    assert numbers.share(part, whole) == text


def test_sizes_and_times():
    assert [numbers.size(n) for n in (12, 1500, 808916277, 5e9)] == ["12 bytes", "2 kB", "809 MB", "5.0 GB"]
    assert [numbers.duration(s) for s in (3, 103, 7260)] == ["3 s", "1 min 43 s", "2 h 1 min"]
    assert numbers.moment("2026-11-24T18:26:59+00:00") == "24 November 2026, 18:26 UTC"
    assert numbers.moment("soon") == "soon"


def test_markdown_is_escaped_mark_by_mark():
    hostile = "![m](http://h.example/x.png) **b** `c` <b> $x$ :smile: #h"
    escaped = render.md(hostile)
    generator = random.Random(0)
    assert "".join(character for character in escaped if character != "\\") == hostile
    for character in generator.sample("![]()*`<>$:#", 12):
        assert all(escaped[at - 1] == "\\" for at in range(len(escaped)) if escaped[at] == character)
    assert render.md("two\nlines") == "two lines"
    assert len(render.md("x" * 500)) == 200


def test_counts_read_well():
    counted = [numbers.counted(0, "seed"), numbers.counted(1, "seed"), numbers.counted(1_200, "test error")]
    assert counted == ["0 seeds", "1 seed", "1,200 test errors"]
    assert [numbers.counted(count, "fix", "fixes") for count in (1, 2)] == ["1 fix", "2 fixes"]
