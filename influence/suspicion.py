"""One number for how likely a training label is wrong, and the label it should have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from influence.encoding import FloatArray, IntArray
from influence.modelsignals import Opinions, calibrated, doubt, usual_confidence
from influence.wordsignals import Neighbours

FORMULA = 2  # to be raised when the same signals come to another judgement, so that stored ones are computed anew
NEIGHBOUR_WEIGHT = 0.05  # of neighbour disagreement; chosen on planted noise, see tests/benchmarks/mislabels.py


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


def ranks(suspicion_N: FloatArray, tie_ranks_N: Sequence[int] | IntArray) -> IntArray:
    """Place of every example by suspicion, 1 the most suspicious; ties in order of `tie_ranks_N`."""
    places_N = np.empty(len(suspicion_N), dtype=np.int64)
    places_N[np.lexsort((np.asarray(tie_ranks_N), -suspicion_N))] = np.arange(1, len(suspicion_N) + 1)
    return places_N
