"""Whether limits are kept, as lines for people and as plain values for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from influence.gate.limits import Limit
from influence.gate.measured import Measured


@dataclass(frozen=True)
class Verdict:
    """A limit and what was measured."""

    limit: Limit
    measured: Measured

    @property
    def broken(self) -> bool:
        """Whether what was measured is beyond the limit."""
        return self.limit.broken(self.measured.count, self.measured.of)

    @property
    def sentence(self) -> str:
        """What was found and what is allowed, as one line."""
        return f"{self.limit.name}: {self.measured.sentence}; allowed: {self.limit}."

    @property
    def way_out(self) -> str:
        """The first that are concerned, and what can be done; as one line."""
        return " ".join(filter(None, (self.measured.first_ones, self.measured.advice)))


def as_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line a limit: how it stands, and for a broken one also what to look at."""
    for one in verdicts:
        yield f"FAILED {one.sentence} {one.way_out}" if one.broken else f"ok     {one.sentence}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """Which limits are broken, as one line."""
    broken = [one.limit.name for one in verdicts if one.broken]
    return f"{len(broken)} of {len(verdicts)} limits broken: {', '.join(broken)}"


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """`broken`: the names of broken limits; `limits`: each with `found` of `of`, and the limit as it was written."""
    return {
        "broken": [one.limit.name for one in verdicts if one.broken],
        "limits": [
            {
                "name": one.limit.name,
                "limit": one.limit.amount_as_written,
                "limit_is": "least" if one.limit.floor else "most",
                "found": one.measured.count,
                "of": one.measured.of,
                "unit": one.measured.unit,
                "share": one.measured.share,
                "at_least": one.measured.at_least,
                "broken": one.broken,
                "first": list(one.measured.first),
                "message": one.sentence,
                "advice": one.measured.advice,
            }
            for one in verdicts
        ],
    }
