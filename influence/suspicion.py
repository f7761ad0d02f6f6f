"""One number for how likely a training label is wrong, the label it should have, and the reason in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from influence.encoding import FloatArray, IntArray
from influence.modelsignals import Opinions, calibrated, doubt, usual_confidence
from influence.wordsignals import Neighbours

FORMULA = 2  # to be raised when the same signals come to another judgement, so that stored ones are computed anew
NEIGHBOUR_WEIGHT = 0.05  # of neighbour disagreement; chosen on planted noise, see tests/benchmarks/mislabels.py
NOTABLE_DISAGREEMENT = 0.5  # neighbours are worth a word where most of their pull is against the label


@dataclass(frozen=True)
class Judgement:
    """What is thought of every training label, shape (N,)."""

    suspicion_N: FloatArray  # 0 to 1; above about 1/2 the models find another label more probable
    suggested_N: IntArray  # index of the label to give instead; the given one means keep


def judge(opinions: Opinions, factors_Y: FloatArray, neighbours: Neighbours) -> Judgement:
    """Combine what the models say with whether the strongest neighbours agree.

    Suspicion is 0.95 x the doubt of all models, over their whole training, in the given label + 0.05 x the neighbours'
    disagreement. The suggested label is the most probable one to all models and to those that never saw the example,
    weighed alike: the first hold on to a learnt label, the second change too many.
    """
    everyone_NY = calibrated(opinions.mean_NY(), factors_Y)
    held_out_NY = opinions.held_out_mean_NY()
    unseen_NY = everyone_NY if held_out_NY is None else calibrated(held_out_NY, factors_Y)
    doubts_N = doubt(everyone_NY, opinions.labels_N, usual_confidence(unseen_NY, opinions.labels_N))
    suspicion_N = (1 - NEIGHBOUR_WEIGHT) * doubts_N + NEIGHBOUR_WEIGHT * neighbours.disagreement_N
    return Judgement(suspicion_N, (everyone_NY + unseen_NY).argmax(axis=1))


@dataclass(frozen=True)
class Facts:
    """What a reason is made of, about one example."""

    label: str
    suggested: str
    held_out: int  # models that never saw it
    votes: int  # how many of those say `suggested`
    trained: int  # epochs of models trained on it
    missed: int  # after how many of those it was misclassified
    opposed: int  # correctly predicted test examples among whose strongest opponents it is
    opposed_word: str | None
    driven: int  # wrong test predictions likewise
    neighbours: int
    neighbours_against: int
    disagreement: float


def reason(facts: Facts) -> str:
    """Why a label is, or is not, suspicious, in one line."""
    parts = [_models_say(facts)]
    if facts.missed:
        parts.append(f"misclassified after {facts.missed} of {facts.trained} epochs of training")
    if facts.driven:
        parts.append(f"drives {_count(facts.driven, 'wrong test prediction')}")
    if facts.opposed:
        word = f", most through {facts.opposed_word!r}" if facts.opposed_word else ""
        parts.append(f"opposes {_count(facts.opposed, 'correct test example')}{word}")
    if facts.neighbours and facts.disagreement >= NOTABLE_DISAGREEMENT:
        parts.append(f"{facts.neighbours_against} of its {facts.neighbours} strongest same-word neighbours pull against it")
    return "; ".join(parts)


def _models_say(facts: Facts) -> str:
    if facts.held_out:
        verb = "says" if 1 in (facts.votes, facts.held_out) else "say"
        who = f"{facts.votes} of {_count(facts.held_out, 'held-out model')} {verb}"
        same = f"given {facts.label}, and {who} so"
        return same if facts.suggested == facts.label else f"given {facts.label}, {who} {facts.suggested}"
    if facts.suggested == facts.label:
        return f"given {facts.label}, and on average over its training the model says so"
    return f"given {facts.label}, on average over its training the model says {facts.suggested}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ranks(suspicion_N: FloatArray, tie_ranks_N: Sequence[int] | IntArray) -> IntArray:
    """Place of every example by suspicion, 1 the most suspicious; ties in order of `tie_ranks_N`."""
    places_N = np.empty(len(suspicion_N), dtype=np.int64)
    places_N[np.lexsort((np.asarray(tie_ranks_N), -suspicion_N))] = np.arange(1, len(suspicion_N) + 1)
    return places_N
