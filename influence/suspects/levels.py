"""What the decisions so far say about the ranking: how often a label is wrong at each level, and how many are left.

    found = scale(workspace, reviews)        # of a queue: scale(workspace, reviews, ids)
    found.level_of(120).judged, found.left   # "of 50 judged at this level, 11 were wrong"; what is expected to be left

Before enough is decided a suspicion is a rank and nothing more: `left` and the shares are None.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from influence.errors import QueryError
from influence.review import Decision, Reviews, resolve
from influence.suspects.posterior import PRIOR, Bands, Posterior, Prior, banded, posterior
from influence.suspects.ranking import rank_scores
from influence.types import BoolArray, FloatArray, IntArray
from influence.workspace import WorkspaceReader

LEVELS, RECENT = 10, 60
INTERVAL = (0.025, 0.975)
FEWEST = 20  # decisions; with less, what comes out is the prior
WRONG = ("relabel", "remove")


@dataclass(frozen=True, kw_only=True)
class Level:
    """A band of the ranking. `share` and its interval are about the chance that a label there is wrong, 0 to 1."""

    first_rank: int
    last_rank: int
    judged: int
    wrong: int
    undecided: int
    expected_share: float | None  # posterior mean
    low_share: float | None  # 95 % interval
    high_share: float | None


@dataclass(frozen=True)
class Left:
    """Wrong labels among the undecided examples: expected number, central 95 % interval, and 95 % bound from above."""

    expected: float
    low: int
    high: int
    upper: int


@dataclass(frozen=True)
class Recent:
    """Of the examples judged last, how many there are and how many were wrong."""

    judged: int
    wrong: int


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What decisions say about a ranking or a part of it."""

    judged: int
    wrong: int
    split: int  # judged, but by as many for the label as against it
    undecided: int
    levels: list[Level]  # ten of equal size, the most suspicious first; fewer where there are fewer examples
    left: Left | None
    recent: Recent | None

    def level_of(self, rank: int) -> Level:
        """The level that holds a rank of the whole ranking, or the nearest below it in a queue that lacks the rank.

        Raises `QueryError` where there is no example at all.
        """
        if not self.levels:
            raise QueryError(f"no level holds rank {rank:,}: there are no examples to rank")
        return next((level for level in self.levels if rank <= level.last_rank), self.levels[-1])

    @property
    def sentences(self) -> list[str]:
        """The same in words for people, one line each."""
        if self.left is None or self.recent is None:
            known = f"{self.judged:,} judged" if self.judged else "nothing is judged yet"
            return [f"{known}: suspicion is a rank, not a probability; after {FEWEST} decisions it says how many are wrong"]
        first, left = self.levels[0], self.left
        level = f"ranks {first.first_rank:,} to {first.last_rank:,}: of {first.judged:,} judged, {first.wrong:,} were wrong"
        return [
            f"{self.judged:,} judged, {self.wrong:,} were wrong; {level}",
            f"about {left.expected:,.0f} wrong labels are expected among the {self.undecided:,} undecided "
            f"(95 %: {left.low:,} to {left.high:,})",
            f"the last {self.recent.judged:,} judged held {self.recent.wrong:,}; at most {left.upper:,} are left at 95 %",
        ]


@dataclass(frozen=True)
class Verdicts:
    """On each example in order of rank: 1 wrong, 0 right, 1/2 split, nan undecided."""

    wrong_N: FloatArray
    by_rank_N: BoolArray  # judged for itself: what was decided together was picked for what it is and tells only of itself
    order: IntArray  # places of the judged ones, the latest decision last


def scale(workspace: WorkspaceReader, reviews: Reviews | None, ids: Iterable[str] | None = None) -> Scale:
    """How the standing decisions bear out the ranking; of some examples (a queue's), or of all. No `reviews`: no decisions.

    Relabelled or removed counts as wrong, kept or masked as right, by the majority of the reviewers or an adjudicator;
    as many against as for count half each; decisions on a label that the data no longer has say nothing. The curve is
    learnt from the whole workspace, the counts are of `ids` alone. Raises `WorkspaceMissing` without suspects.
    """
    ranking, verdicts = _judged(workspace, reviews)
    among = None if ids is None else set(ids)
    chosen_N = np.ones(len(ranking), dtype=bool) if among is None else ranking["train_id"].isin(among).to_numpy()
    return scale_of(ranking["suspicion"].to_numpy(), verdicts, chosen_N)


def wrong_chances(workspace: WorkspaceReader, reviews: Reviews) -> pd.Series | None:
    """The chance that each training label is wrong, 0 to 1, by id: the posterior mean, or the verdict where it is judged.

    None before enough is decided. Raises `WorkspaceMissing` without suspects.
    """
    ranking, verdicts = _judged(workspace, reviews)
    bands = banded(ranking["suspicion"].to_numpy())
    curve = _curve(bands, verdicts)
    if curve is None:
        return None
    chance_N = (curve.weight_S @ curve.chance_SB)[bands.band_N]
    return pd.Series(np.where(np.isnan(verdicts.wrong_N), chance_N, verdicts.wrong_N), index=ranking["train_id"])


def _judged(workspace: WorkspaceReader, reviews: Reviews | None) -> tuple[pd.DataFrame, Verdicts]:
    """The ranking, and what was decided about it on labels that the data still has."""
    ranking, present, fixed = rank_scores(workspace), list[Decision](), set[str]()
    if reviews is not None:
        present = [d for d in reviews.decisions() if d.old_label == reviews.corpus[d.example_id].label]
        fixed = set(reviews.corpus.applied.until)
    verdicts = _verdicts(ranking["train_id"], present)
    # What this data was built again with is right now, and tells only of itself.
    right_N = ranking["train_id"].isin(fixed).to_numpy() & np.isnan(verdicts.wrong_N)
    verdicts.wrong_N[right_N] = 0.0
    return ranking, verdicts


def _verdicts(train_ids: pd.Series, decisions: Sequence[Decision]) -> Verdicts:
    places = {id: place for place, id in enumerate(train_ids)}
    wrong_N, by_rank_N, latest = np.full(len(places), np.nan), np.zeros(len(places), dtype=bool), {}
    for resolution in resolve(decisions):
        place = places.get(resolution.example_id)
        if place is None:
            continue
        made = [d for d in resolution.decisions if d.adjudicates][-1:] or list(resolution.decisions)
        against = sum(d.kind in WRONG for d in made)
        wrong_N[place] = (np.sign(2 * against - len(made)) + 1) / 2
        by_rank_N[place] = any(not d.origin or "import" in d.origin for d in made)
        latest[place] = max(d.action for d in made)
    return Verdicts(wrong_N, by_rank_N, np.array(sorted(latest, key=lambda place: latest[place]), dtype=np.int64))


def scale_of(suspicion_N: FloatArray, verdicts: Verdicts, chosen_N: BoolArray, prior: Prior = PRIOR) -> Scale:
    """The same from suspicions and verdicts in order of rank, counted over the chosen examples."""
    judged_N, wrong_N = ~np.isnan(verdicts.wrong_N), verdicts.wrong_N
    bands = banded(suspicion_N)
    curve = _curve(bands, verdicts, prior)
    parts = [part for part in np.array_split(np.flatnonzero(chosen_N), LEVELS) if len(part)]
    levels = [_level(part, wrong_N, bands, curve) for part in parts]
    mine = verdicts.order[chosen_N[verdicts.order]]
    last = mine[-RECENT:]
    return Scale(
        judged=len(mine),
        wrong=int((wrong_N[mine] == 1).sum()),
        split=int((wrong_N[mine] == 0.5).sum()),
        undecided=int((chosen_N & ~judged_N).sum()),
        levels=levels,
        left=_left(bands, curve, chosen_N & ~judged_N),
        recent=Recent(len(last), int((wrong_N[last] == 1).sum())) if len(last) else None,
    )


def _curve(bands: Bands, verdicts: Verdicts, prior: Prior = PRIOR) -> Posterior | None:
    """The chance that a label is wrong, by band; None where too few are judged for themselves."""
    told_N = ~np.isnan(verdicts.wrong_N) & verdicts.by_rank_N
    if told_N.sum() < FEWEST:
        return None
    return posterior(bands.at_B, bands.counts_B(told_N), bands.counts_B(told_N, verdicts.wrong_N), prior=prior)


def _level(part: IntArray, wrong_N: FloatArray, bands: Bands, curve: Posterior | None) -> Level:
    """One level: the examples at these places."""
    judged = int((~np.isnan(wrong_N[part])).sum())
    share: float | None = None
    low: float | None = None
    high: float | None = None
    if curve is not None:
        inside_B = np.bincount(bands.band_N[part], minlength=len(bands.at_B)) / len(part)
        share, (low, high) = curve.mean_and_quantiles(curve.chance_SB @ inside_B, INTERVAL)
    return Level(
        first_rank=int(part[0]) + 1,
        last_rank=int(part[-1]) + 1,
        judged=judged,
        wrong=int((wrong_N[part] == 1).sum()),
        undecided=len(part) - judged,
        expected_share=share,
        low_share=low,
        high_share=high,
    )


def _left(bands: Bands, curve: Posterior | None, undecided_N: BoolArray) -> Left | None:
    if curve is None:
        return None
    found_S = curve.wrong_S(bands.counts_B(undecided_N))
    expected, (low, high, upper) = curve.mean_and_quantiles(found_S, (*INTERVAL, 0.95))
    return Left(expected, int(low), int(high), int(upper))
