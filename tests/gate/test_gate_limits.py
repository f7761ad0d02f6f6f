"""How limits are written, and when one is broken: exactly the limit is within it."""

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from influence.errors import SettingsError
from influence.gate.limits import KINDS, Limit, check_given, check_suspicion, read_limits


def test_limits_as_one_writes_them():
    assert read_limits(["leaks,conflicts=3", " near-duplicates = 2.5% ,", "class-share=5 %"]) == [
        Limit("leaks", Fraction(0)),
        Limit("conflicts", Fraction(3)),
        Limit("near-duplicates", Fraction(25, 1000), is_share=True),
        Limit("class-share", Fraction(1, 20), is_share=True),
    ]
    assert read_limits(["leaks,conflicts=0%"], "2%") == [
        Limit("leaks", Fraction(1, 50), is_share=True),
        Limit("conflicts", Fraction(0), is_share=True),
    ]
    assert [str(limit) for limit in read_limits(["leaks", "conflicts=3", "unusable=2.50%,class-share=12", "spellings=0%"])] == [
        "none", "at most 3", "at most 2.5%", "at least 12", "none",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "most", "said"),
    [
        (["leeks"], None, "--fail-on 'leeks': there is no such limit (did you mean leaks?); there are conflicts, duplicates,"),
        (["x\n" * 300], None, "there is no such limit; there are conflicts"),
        (["leaks>0"], None, "--fail-on 'leaks>0': write a limit as NAME=N or NAME=P%, the name alone for none at all"),
        (["leaks", "conflicts,leaks=2"], None, "--fail-on leaks: given twice; give one limit"),
        (["class-share"], "5%", "--fail-on class-share: say how many there must be at least, as class-share=5%"),
        (["leaks="], None, "--fail-on 'leaks=': the limit must be a whole number, as 3, or a share from 0% to 100%, as 2%"),
        (["leaks=-1"], None, "--fail-on 'leaks=-1': the limit must be"),
        (["leaks=0.5"], None, "--fail-on 'leaks=0.5': the limit must be"),
        (["leaks=101%"], None, "--fail-on 'leaks=101%': the limit must be"),
        (["leaks=nan"], None, "--fail-on 'leaks=nan': the limit must be"),
        (["leaks=" + "9" * 5000], None, "the limit must be"),
        (["leaks=１0%,"], None, "the limit must be"),
        (["leaks"], "many", "--max 'many': the limit must be"),
        ([" , "], None, "--fail-on '': name a limit: conflicts, "),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_one_line_that_says_so(given, most, said):
    with pytest.raises(SettingsError) as raised:
        read_limits(given, most)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 500


LIMITED = st.sampled_from([*KINDS]).flatmap(lambda name: st.text().map(f"{name}=".__add__))


@given(st.lists(st.one_of(st.text(), LIMITED), max_size=3))
def test_whatever_is_given_is_limits_or_a_complaint(given):
    try:
        limits = read_limits(given)
    except SettingsError as error:
        said = str(error)
        limits = None
    if limits is None:
        assert said.isprintable()
        assert len(said) < 700
        return
    names = [part.split("=")[0].strip() for part in ",".join(given).split(",") if part.strip()]
    assert [limit.name for limit in limits] == names
    assert all(limit.amount >= 0 and (limit.amount <= 1 or not limit.is_share) for limit in limits)


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 1000), st.booleans(), st.sampled_from(["leaks", "class-share"]))
def test_a_limit_is_broken_beyond_it_and_not_at_it(count, of, tenths, share, name):
    text = f"{tenths / 10}%" if share else str(tenths)
    [limit] = read_limits([f"{name}={text}"])
    # in thousandths of a row, so in whole numbers
    found, allowed = count * 1000, of * tenths if share else tenths * 1000
    assert limit.broken(count, of) is (found < allowed if name == "class-share" else found > allowed)
    assert limit.amount_as_written == (f"{tenths / 10:g}%" if share else text)


def test_what_a_limit_cannot_be_measured_without():
    for name, kind in KINDS.items():
        limits = read_limits([f"{name}=1"])
        check_given(limits, set(kind.needs))
        for option in kind.needs:
            with pytest.raises(SettingsError, match=rf"--fail-on {name}: cannot be measured without {option}; give it, too"):
                check_given(limits, set(kind.needs) - {option})


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_an_impossible_suspicion(threshold):
    with pytest.raises(SettingsError, match=r"--suspicion .*: must be 0 or more and below 1"):
        check_suspicion(threshold)
