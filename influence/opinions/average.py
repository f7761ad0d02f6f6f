"""The average of the opinions, and how far it contradicts the given labels: one formula for all data.

Where annotators took one class for another, that label is given too often, every model learns to expect it too often, and
exactly those mistakes look right. How often each label occurs in the test split sets that straight.

What names of files say (`opinion_files`) counts where they speak: the mean of an example is that of the opinions that there are
of it. A label without probabilities is not taken for certain but for as likely as that name is usually right, as in CROWDLAB
(Goh, Tkachenko, Mueller 2022). That is told by examples whose given label all the others find clearly the best, too: where they
contradict it, one of the two is wrong, and who was asked about such examples alone would look wrong whatever he knows.

Axes: N training examples, M test examples, S examples that a name speaks of, Y labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from influence.opinion_files import Heard
from influence.opinions.opinion import Opinion, Taught, accuracy
from influence.types import BoolArray, FloatArray, IntArray

SMOOTHING = 0.05  # of probabilities in the odds of `suspicion`: below it there is nothing to tell apart
LEAST_GAIN = 1e-3  # of an opinion that is no better than a guess, so that there is an average where all are
DOUBTED = 0.65  # suspicion above which a label teaches nothing at the second look
CLEAR = 2.0  # times as probable as any other is the given label, by the others, where it is taken for right
LOOKED = 10.0  # examples that what is usual among names counts for in how often one of them is right
ROUNDS, CLOSE = 200, 1e-6  # of the search for the factors that bring the balance about


class Average(NamedTuple):
    """What all opinions come to."""

    probabilities_NY: FloatArray  # summing to 1
    weights: dict[str, float]  # of the opinions by name, summing to 1 with those of the voices
    voice_weights: dict[str, float]  # of the voices, as on an example of which all speak


@dataclass(frozen=True)
class Voice:
    """What a name of a file says, and how far it is believed."""

    heard: Heard
    probabilities_SY: FloatArray  # summing to 1
    accuracy: float  # how often it says the label that is taught, 0 to 1
    reliability: float  # how often it is right, 0 to 1, as the accuracies of opinions count it; few examples say little of it


def average(opinions: Sequence[Opinion], guess: float, voices: Sequence[Voice] = ()) -> Average:
    """The mean of the opinions, each weighed by the square of what its accuracy exceeds `guess`, that of always saying one label.

    The square tells opinions that know little apart from the one that knows, as words know next to nothing of whether one
    text follows from another, and hardly matters where all are alike. Voices count where they speak, by their reliability.
    """
    gains = _weights([opinion.accuracy for opinion in opinions], guess)
    spoken = _weights([voice.reliability for voice in voices], guess)
    weights = gains / gains.sum()
    mean_NY = sum(weight * opinion.probabilities_NY for weight, opinion in zip(weights, opinions, strict=True))
    if voices:
        sums_NY, totals_N = np.asarray(mean_NY) * gains.sum(), np.full(len(mean_NY), gains.sum())
        for weight, voice in zip(spoken, voices, strict=True):
            sums_NY[voice.heard.positions_S] += weight * voice.probabilities_SY
            totals_N[voice.heard.positions_S] += weight
        mean_NY = sums_NY / totals_N[:, None]
    total = gains.sum() + spoken.sum()
    weighed = {opinion.name: round(float(gain / total), 4) for opinion, gain in zip(opinions, gains, strict=True)}
    heard = {voice.heard.name: round(float(gain / total), 4) for voice, gain in zip(voices, spoken, strict=True)}
    return Average(np.asarray(mean_NY), weighed, heard)


def _weights(accuracies: Sequence[float], guess: float) -> FloatArray:
    gains: FloatArray = np.maximum(np.asarray(accuracies, dtype=np.float64) - guess, LEAST_GAIN)
    return gains**2


def voiced(all_heard: Sequence[Heard], opinions: Sequence[Opinion], taught: Taught, guess: float) -> list[Voice]:
    """What names say, each believed as far as it is right where that is known: by the opinions, then by other names, too.

    It is known where the others find the given label clearly the most probable, and where somebody has decided. A name that is
    as often right there as the opinions are counts as they do on average, and so does one of which nothing is known.
    """
    if not all_heard:
        return []
    weights = _weights([opinion.accuracy for opinion in opinions], guess)
    alone_NY = average(opinions, guess).probabilities_NY
    known_N = _clear(alone_NY, taught.labels_N) | (taught.weights_N > 1)
    usual = float(weights @ [opinion.accuracy for opinion in opinions] / weights.sum())
    there = [accuracy(opinion.probabilities_NY[known_N], taught.labels_N[known_N]) for opinion in opinions]
    footing = usual, max(float(weights @ there / weights.sum()), usual)
    found = _believed(all_heard, [alone_NY[heard.positions_S] for heard in all_heard], taught, footing)
    spoken = _weights([voice.reliability for voice in found], guess)
    sums_NY = alone_NY * weights.sum()
    for weight, voice in zip(spoken, found, strict=True):
        sums_NY[voice.heard.positions_S] += weight * voice.probabilities_SY
    others = [sums_NY[v.heard.positions_S] - weight * v.probabilities_SY for weight, v in zip(spoken, found, strict=True)]
    return _believed(all_heard, others, taught, footing)


def _clear(shares_SY: FloatArray, given_S: IntArray) -> BoolArray:
    """Whether the given label has `CLEAR` times the share of any other; near a tie, those chosen for doubt are no fair sample."""
    rivals_SY = shares_SY.copy()
    rows_S = np.arange(len(given_S))
    rivals_SY[rows_S, given_S] = 0.0
    return np.asarray(shares_SY[rows_S, given_S] >= CLEAR * rivals_SY.max(axis=1))


def _believed(
    all_heard: Sequence[Heard], others: Sequence[FloatArray], taught: Taught, footing: tuple[float, float]
) -> list[Voice]:
    """Voices by what others think of their examples: an array (S, Y) for each, of any scale.

    `footing` is how often the opinions say the given label, of all examples and of those where they are known to be right.
    """
    right, counts = [], []
    for heard, others_SY in zip(all_heard, others, strict=True):
        given_S, decided_S = taught.labels_N[heard.positions_S], taught.weights_N[heard.positions_S] > 1
        known_S = _clear(others_SY, given_S) | decided_S
        right.append(int((known_S & (given_S == heard.said_S)).sum()))
        counts.append(int(known_S.sum()))
    usual, there = footing
    pooled = (sum(right) + LOOKED * there) / (sum(counts) + LOOKED)
    rates = [(n_right + LOOKED * pooled) / (count + LOOKED) for n_right, count in zip(right, counts, strict=True)]
    return [_voice(heard, min(rate * usual / there, 1.0), taught) for heard, rate in zip(all_heard, rates, strict=True)]


def _voice(heard: Heard, reliability: float, taught: Taught) -> Voice:
    n_labels = heard.probabilities_SY.shape[1]
    sure = max(reliability, 1 / n_labels)
    smoothed_SY = np.full(heard.probabilities_SY.shape, (1 - sure) / (n_labels - 1))
    smoothed_SY[np.arange(len(heard.said_S)), heard.said_S] = sure
    told_SY = np.where(np.isnan(heard.probabilities_SY), smoothed_SY, heard.probabilities_SY)
    given_S = taught.labels_N[heard.positions_S]
    agrees = float((heard.said_S == given_S).mean()) if len(given_S) else 0.0
    return Voice(heard, told_SY, agrees, reliability)


def suspicion(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """How likely it looks that each given label is wrong, from 0 to 1, shape (N,); 1/2 where another is level with it.

    o / (o + g), where g is the probability of the given label and o that of the most probable other one, `SMOOTHING` added
    to both. Between many labels a probability can be low for want of evidence; against the strongest rival it is low for
    a reason. It ranks; it is no probability.
    """
    rows_N = np.arange(len(labels_N))
    others_NY = probabilities_NY.copy()
    given_N = others_NY[rows_N, labels_N] + SMOOTHING
    others_NY[rows_N, labels_N] = -np.inf
    other_N = others_NY.max(axis=1) + SMOOTHING
    suspicion_N: FloatArray = other_N / (other_N + given_N)
    return suspicion_N


def without_doubted(taught: Taught, suspicion_N: FloatArray) -> Taught:
    """What is taught at a second look: not the labels that looked wrong at the first, but for those that somebody checked.

    Of every label at least half is kept, so that none is unlearnt for being doubted as a whole. An example's own label then
    has a say in which others teach, and still none in what they teach about it.
    """
    limits_N = np.full(len(suspicion_N), DOUBTED)
    for label in np.unique(taught.labels_N):
        of_label_N = taught.labels_N == label
        limits_N[of_label_N] = max(DOUBTED, float(np.median(suspicion_N[of_label_N])))
    doubted_N = (suspicion_N > limits_N) & (taught.weights_N <= 1)
    return Taught(taught.labels_N, np.where(doubted_N, 0.0, taught.weights_N))


def who_says(opinions: Sequence[Opinion], voices: Sequence[Voice], labels_N: IntArray) -> tuple[IntArray, IntArray]:
    """Of how many opinions and voices there is a word on each example, and how many find a label the most probable, (N,) each."""
    spoke_N = np.full(len(labels_N), len(opinions), dtype=np.int32)
    for_N = np.zeros(len(labels_N), dtype=np.int32)
    for opinion in opinions:
        for_N += opinion.probabilities_NY.argmax(axis=1) == labels_N
    for voice in voices:
        spoke_N[voice.heard.positions_S] += 1
        for_N[voice.heard.positions_S] += voice.heard.said_S == labels_N[voice.heard.positions_S]
    return spoke_N, for_N


def test_split_balance(labels_M: IntArray, n_labels: int) -> FloatArray:
    """The share of each label in the test split, shape (Y,); one of each is added, so that none is 0."""
    counts_Y = np.bincount(labels_M, minlength=n_labels) + 1
    balance_Y: FloatArray = counts_Y / counts_Y.sum()
    return balance_Y


def balanced(probabilities_NY: FloatArray, balance_Y: FloatArray) -> FloatArray:
    """Probabilities times a factor a label, rows summing to 1 again, such that their mean is `balance_Y`.

    The factors are found by iterating to the fixed point: multiplying once by wanted / found falls short of it, and
    measurably so (on NoisyAG-News, average precision of neighbours 0.70 instead of 0.74).
    """
    factors_Y = np.ones(len(balance_Y))
    for _ in range(ROUNDS):
        scaled_NY = probabilities_NY * factors_Y
        scaled_NY /= scaled_NY.sum(axis=1, keepdims=True)
        steps_Y = balance_Y / scaled_NY.mean(axis=0)
        if np.abs(steps_Y - 1).max() < CLOSE:
            break
        factors_Y *= steps_Y
        factors_Y /= factors_Y.max()
    return scaled_NY


def usual_confidence(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """For every label, the mean probability of it where it is given, shape (Y,); 1 for one that is never given."""
    given_N = probabilities_NY[np.arange(len(labels_N)), labels_N]
    n_labels = probabilities_NY.shape[1]
    counts_Y = np.bincount(labels_N, minlength=n_labels)
    sums_Y = np.bincount(labels_N, weights=given_N, minlength=n_labels)
    usual_Y: FloatArray = np.where(counts_Y > 0, sums_Y / np.maximum(counts_Y, 1), 1.0)
    return usual_Y


def evened(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """Probabilities where no balance is known: each label's divided by the root of what is usual for it."""
    scaled_NY: FloatArray = probabilities_NY / np.sqrt(usual_confidence(probabilities_NY, labels_N))
    scaled_NY /= scaled_NY.sum(axis=1, keepdims=True)
    return scaled_NY
