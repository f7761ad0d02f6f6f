"""Edits: what each kind takes and does, what makes no sense, and what class counts come to."""

from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given

from influence.data.edits import EDIT_KINDS, Edit, EditKind, balance, listed_kinds, masked, texts_of
from influence.errors import DataError, QueryError, SettingsError

LABELS = ["neg", "pos"]


class Example(NamedTuple):
    """An example as edits see it."""

    id: str = "e0"
    text: str = "a red hat"
    text_pair: str | None = None
    label: str = "neg"


PAIR = Example(text_pair="a dog")


@pytest.mark.parametrize(
    ("edit", "example", "kept"),
    [
        (Edit("keep"), Example(), Edit("keep")),
        (Edit("remove"), Example(), Edit("remove")),
        (Edit("flag"), Example(), Edit("flag")),
        (Edit("relabel", "pos"), Example(), Edit("relabel", "pos")),
        (Edit("mask", words=(" red ", "red", "Hat")), Example(), Edit("mask", words=("red", "Hat"))),
        (Edit("mask", words=("red  hat",)), Example(), Edit("mask", words=("red hat",))),
        (Edit("mask", words=("dog",)), PAIR, Edit("mask", words=("dog",))),
    ],
)
def test_what_makes_sense_is_kept(edit: Edit, example: Example, kept: Edit) -> None:
    assert edit.checked(example, LABELS) == kept
    assert edit.misuse is None
    assert edit.fits(example)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (Edit("relabel"), SettingsError, "relabel 'e0': a new label goes with relabel and with nothing else"),
        (Edit("keep", "pos"), SettingsError, "keep 'e0': a new label goes with relabel and with nothing else"),
        (Edit("skip", "pos"), SettingsError, "skip 'e0': a new label goes with relabel and with nothing else"),
        (Edit("relabel", "neg"), SettingsError, "relabel 'e0': it is labelled 'neg' already; keep it instead"),
        (Edit("relabel", "odd"), QueryError, "unknown label 'odd'; the labels are 'neg', 'pos'"),
        (Edit("mask"), SettingsError, "mask 'e0': words go with mask and with nothing else"),
        (Edit("remove", words=("red",)), SettingsError, "remove 'e0': words go with mask and with nothing else"),
        (Edit("mask", words=("ed",)), SettingsError, "mask 'e0': 'ed' does not occur in it as a word"),
        (Edit("mask", words=("a", "red", "hat")), SettingsError, "mask 'e0': no text would be left; remove it instead"),
    ],
)
def test_what_makes_no_sense_is_refused(edit: Edit, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        edit.checked(Example(), LABELS)
    assert str(raised.value) == message


def test_neither_text_of_a_pair_is_left_empty() -> None:
    assert not Edit("mask", words=("a", "dog")).fits(PAIR)
    with pytest.raises(DataError, match="masking leaves no text of example 'e0': remove it instead"):
        masked("e0", texts_of(PAIR), ("a", "dog"))
    with pytest.raises(DataError, match="cannot mask 'cat' in example 'e0': it does not occur there"):
        masked("e0", texts_of(PAIR), ("cat",))
    assert masked("e0", texts_of(PAIR), ("a", "dog"), "[PAD]") == ["[PAD] red hat", "[PAD] [PAD]"]
    assert masked("e0", texts_of(PAIR), ("dog",)) == ["a red hat", "a"]


def test_edits_that_come_to_the_same() -> None:
    assert Edit("mask", words=("Red", "hat")).outcome == Edit("mask", words=("hat", "red", "RED")).outcome
    assert Edit("relabel", "pos").outcome != Edit("relabel", "neg").outcome


def test_fix_lists_begin_with_what_changes_the_data() -> None:
    assert list(EDIT_KINDS) == ["keep", "relabel", "remove", "mask"]
    assert listed_kinds() == ["relabel", "remove", "mask", "keep"]
    assert [name for name in EDIT_KINDS if Edit(name).does.changes_data] == ["relabel", "remove", "mask"]
    assert [name for name in EDIT_KINDS if Edit(name).does.moves_labels] == ["relabel", "remove"]


def test_a_kind_that_is_added_takes_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EDIT_KINDS, "archive", EditKind(drops=True, listed=False))
    monkeypatch.setitem(EDIT_KINDS, "correct", EditKind(relabels=True))
    assert balance({"neg": 2, "pos": 1}, [("neg", Edit("archive")), ("neg", Edit("correct", "pos"))]) == {"neg": 0, "pos": 2}
    assert listed_kinds() == ["relabel", "remove", "mask", "correct", "keep"]
    assert Edit("keep", "pos").misuse == ("new_label 'pos'", "a new label goes with relabel or correct and with nothing else")


EDITS = st.sampled_from([Edit("keep"), Edit("remove"), Edit("mask", words=("a",)), *(Edit("relabel", label) for label in "abc")])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | EDITS)))
def test_balance_is_a_count_of_what_is_left(rows: list[tuple[str, Edit | None]]) -> None:
    before = {label: sum(one == label for one, _ in rows) for label in "abc"}
    left = [
        label if edit is None or edit.new_label is None else edit.new_label
        for label, edit in rows
        if edit is None or edit.kind != "remove"
    ]
    after = balance(before, ((label, edit) for label, edit in rows if edit is not None))
    assert after == {label: left.count(label) for label in "abc"}
    assert list(after) == list(before)
