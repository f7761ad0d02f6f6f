"""What looking at a cause is worth, and what ties it together, in words and beside the others."""

import pandas as pd

from influence.clusters import Cluster
from influence.workspace import LEAST_PULL
from pages.ui.frame import numbers
from pages.ui.parts import Signal

WORTH_SAYING = 0.05  # share of the pull from which start and end tokens are worth a remark
NO_LESS = 0.05  # fewer wrong labels than this read as none


def sentence(one: Cluster, chances: pd.Series | None) -> str:
    """How many of its labels are wrong, and the mistakes that it pushes; of a cluster of an earlier version these are not known.

    `chances` are those of `scales.chances`: before enough is decided nothing says how many labels are wrong.
    """
    pushed = ""
    if one.mistakes:
        mistakes = numbers.counted(one.mistakes, "wrong test prediction")
        pushed = f"together {one.mistake_pull:.0%} of the pull against {mistakes}"
    return "; ".join(part for part in (_wrong(one, chances), pushed) if part)


def signals(one: Cluster, most_doubt: float, most_mistakes: int) -> list[Signal]:
    """Its doubt and its mistakes as shares of the strongest cause's, and the share of its sentences with another label."""
    found = [
        _signal(
            "another label",
            one.contradicted / one.size,
            f"{one.contradicted:,} of {one.size:,}",
            "sentences for which another label is suggested",
            strong=True,
        )
    ]
    if one.doubt is not None and most_doubt:
        found.append(
            _signal(
                "doubt",
                one.doubt / most_doubt,
                "",
                "what the opinions hold against its labels, summed; beside the most doubted cause",
            )
        )
    if one.mistakes is not None:
        about = f"wrong test predictions against which its sentences together carry {LEAST_PULL:.0%} or more of the pull"
        found.append(_signal("mistakes pushed", one.mistakes / (most_mistakes or 1), f"{one.mistakes:,}", about))
    return found


def _signal(name: str, bar: float, value: str, about: str, *, strong: bool = False) -> Signal:
    return {"name": name, "value": value or numbers.probability(bar), "bar": bar, "about": about, "strong": strong}


def _wrong(one: Cluster, chances: pd.Series | None) -> str:
    """How many of its labels are wrong, as far as decisions tell."""
    if chances is None:
        return ""
    expected = float(chances.reindex(one.train_ids).sum())
    return f"by the decisions so far {f'about {expected:.1f}' if expected >= NO_LESS else 'hardly any'} wrong"


def tie(one: Cluster) -> str:
    """How much of the pull start and end tokens carry, where that is worth a remark."""
    share = one.start_end_share
    if share is None or share < WORTH_SAYING:
        return ""
    return f"{min(share, 1.0):.0%} of that through start and end tokens, no words"
