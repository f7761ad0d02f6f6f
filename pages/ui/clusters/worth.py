"""What looking at a cluster is worth, and what ties it together, in words."""

import pandas as pd

from influence.clusters import Cluster
from pages.ui.frame import numbers

WORTH_SAYING = 0.05  # share of the pull from which start and end tokens are worth a remark
NO_LESS = 0.05  # fewer wrong labels than this read as none


def sentence(one: Cluster, chances: pd.Series | None) -> str:
    """What speaks against its labels, and the mistakes that it pushes; of a cluster of an earlier version these are not known.

    `chances` are those of `scales.chances`: before enough is decided nothing says how many labels are wrong.
    """
    said = f"another label suggested for {one.contradicted:,} of {one.size:,}" if one.contradicted else "no other label suggested"
    pushed = f"{one.mistake_pull:.0%} of the pull against {numbers.counted(one.mistakes, 'test mistake')}" if one.mistakes else ""
    return "; ".join(part for part in (said, _wrong(one, chances), pushed) if part)


def _wrong(one: Cluster, chances: pd.Series | None) -> str:
    """How many of its labels are wrong, as far as decisions tell."""
    if chances is None:
        return ""
    expected = float(chances.reindex(one.train_ids).sum())
    return f"by the decisions so far {f'about {expected:.1f}' if expected >= NO_LESS else 'hardly any'} wrong"


def tie(one: Cluster) -> str:
    """How much of the pull start and end tokens carry, where that is worth a remark."""
    share = one.start_end_share
    return f"{percent(one)} of the pull is start and end tokens" if share is not None and share >= WORTH_SAYING else ""


def percent(one: Cluster) -> str:
    """The share of start and end tokens, at most all of it: what goes against the rest of the pull is not counted twice."""
    return "" if one.start_end_share is None else f"{min(max(one.start_end_share, 0.0), 1.0):.0%}"
