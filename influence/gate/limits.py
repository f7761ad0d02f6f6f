"""What may be limited, and how a limit is written: `leaks`, `leaks=3`, `near-duplicates=2%`, `class-share=5%`.

A name alone allows none. A whole number counts, a number with % is a share; nothing needs quotes in a shell or in YAML.
"""

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from influence.errors import SettingsError

DEFAULT_SUSPICION = 0.9  # docs/ci.md says what is found with it
SHOWN = 100  # characters of what was given, in a complaint
_COUNT = re.compile(r"[0-9]{1,15}")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,12})?)\s*%")


@dataclass(frozen=True)
class Kind:
    """Something that can be limited."""

    about: str  # in the help, after the name
    needs: tuple[str, ...]  # options without all of which it cannot be measured
    floor: bool = False  # the limit is the least that is allowed, not the most


TRAIN, TEST, WORKSPACE, BASELINE = "--train", "--test", "--workspace", "--baseline"
KINDS = {
    "conflicts": Kind("texts with two labels or more", (TRAIN,)),
    "duplicates": Kind("rows with the text of an earlier row", (TRAIN,)),
    "near-duplicates": Kind("rows whose text nearly repeats another", (TRAIN,)),
    "leaks": Kind("test rows whose text stands in training", (TRAIN, TEST)),
    "near-leaks": Kind("test rows that nearly repeat a training text", (TRAIN, TEST)),
    "unusable": Kind("rows without a text or label, or that cannot be read", (TRAIN,)),
    "repeated-ids": Kind("rows with the id of an earlier row", (TRAIN,)),
    "unknown-labels": Kind("test rows with a label that training lacks", (TRAIN, TEST)),
    "spellings": Kind("labels that look like another label", (TRAIN,)),
    "class-share": Kind("the rarest label's rows, at least", (TRAIN,), floor=True),
    "suspects": Kind("examples whose label is suspected more than --suspicion", ()),
    "accuracy-drop": Kind("how many test texts fewer are right than in --baseline", (WORKSPACE, BASELINE)),
}


@dataclass(frozen=True)
class Limit:
    """How many, or what share of all, of a kind are allowed; for a kind with a floor how many there must be."""

    name: str
    amount: Fraction  # a whole number, or a share from 0 to 1
    is_share: bool = False

    @property
    def floor(self) -> bool:
        """Whether it is the least that is allowed."""
        return KINDS[self.name].floor

    def broken(self, count: int, of: int) -> bool:
        """Whether `count` of `of` is beyond it; exactly the limit is within it."""
        allowed = self.amount * of if self.is_share else self.amount
        return count < allowed if self.floor else count > allowed

    @property
    def amount_as_written(self) -> str:
        """The amount as one writes it: 3, 2%."""
        return f"{float(self.amount * 100):.12g}%" if self.is_share else str(self.amount)

    def __str__(self) -> str:
        if self.floor:
            return f"at least {self.amount_as_written}"
        return f"at most {self.amount_as_written}" if self.amount else "none"


def read_limits(given: Sequence[str], most: str | None = None) -> list[Limit]:
    """The limits of every --fail-on, each a list with commas; `most`, --max, is for those that name no amount.

    Raises `SettingsError` for a name that there is not, or twice, and for what is no amount.
    """
    usual = Limit("", Fraction(0)) if most is None else _amount(most, f"--max {most[:SHOWN]!r}")
    limits: dict[str, Limit] = {}
    for part in (part.strip() for text in given for part in text.split(",")):
        if not part:
            continue
        name, sign, amount = (side.strip() for side in part.partition("="))
        if name not in KINDS:
            raise SettingsError(_unknown(part, name))
        if name in limits:
            raise SettingsError(f"--fail-on {name}: given twice; give one limit")
        if not sign and KINDS[name].floor:
            raise SettingsError(f"--fail-on {name}: say how many there must be at least, as {name}=5% or {name}=50")
        found = _amount(amount, f"--fail-on {part[:SHOWN]!r}") if sign else usual
        limits[name] = Limit(name, found.amount, found.is_share)
    if not limits:
        raise SettingsError(f"--fail-on '': name a limit: {', '.join(KINDS)}")
    return list(limits.values())


def _unknown(part: str, name: str) -> str:
    if re.search(r"[<>]", part):
        return f"--fail-on {part[:SHOWN]!r}: write a limit as NAME=N or NAME=P%, the name alone for none at all"
    close = difflib.get_close_matches(name[:SHOWN], KINDS, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    return f"--fail-on {part[:SHOWN]!r}: there is no such limit{meant}; there are {', '.join(KINDS)}"


def _amount(text: str, where: str) -> Limit:
    if _COUNT.fullmatch(text.strip()):
        return Limit("", Fraction(int(text)))
    if (share := _SHARE.fullmatch(text.strip())) and Fraction(share[1]) <= 100:
        return Limit("", Fraction(share[1]) / 100, is_share=True)
    raise SettingsError(f"{where}: the limit must be a whole number, as 3, or a share from 0% to 100%, as 2%")


def check_given(limits: Sequence[Limit], given: Collection[str]) -> None:
    """Raise `SettingsError` for a limit that cannot be measured with the options that were given, as --test."""
    for limit in limits:
        if missing := [option for option in KINDS[limit.name].needs if option not in given]:
            raise SettingsError(f"--fail-on {limit.name}: cannot be measured without {' and '.join(missing)}; give it, too")


def check_suspicion(threshold: float) -> None:
    """Raise `SettingsError` for a --suspicion that cannot be."""
    if not 0 <= threshold < 1:
        raise SettingsError(f"--suspicion {threshold}: must be 0 or more and below 1")
