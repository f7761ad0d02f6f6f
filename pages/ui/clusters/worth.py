"""What looking at a cluster is worth, and what ties it together, in words."""

from influence.clusters import Cluster
from pages.ui.frame import numbers

WORTH_SAYING = 0.05  # share of the pull from which start and end tokens are worth a remark
NO_LESS = 0.05  # fewer expected wrong labels than this read as none


def sentence(one: Cluster) -> str:
    """Wrong labels expected and mistakes driven; empty for a cluster of an earlier version, which knows neither."""
    if one.expected_wrong is None or one.mistakes is None:
        return ""
    wrong = f"about {one.expected_wrong:.1f} of {one.size:,}" if one.expected_wrong >= NO_LESS else "hardly any"
    driven = f"drives {numbers.counted(one.mistakes, 'test mistake')}" if one.mistakes else "drives no test mistake"
    return f"wrong labels expected: {wrong}; {driven}"


def tie(one: Cluster) -> str:
    """How much of the pull start and end tokens carry, where that is worth a remark."""
    share = one.start_end_share
    return f"{percent(one)} of the pull is start and end tokens" if share is not None and share >= WORTH_SAYING else ""


def percent(one: Cluster) -> str:
    """The share of start and end tokens, at most all of it: what goes against the rest of the pull is not counted twice."""
    return "" if one.start_end_share is None else f"{min(max(one.start_end_share, 0.0), 1.0):.0%}"
