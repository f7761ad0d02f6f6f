"""What may be chosen about the clusters: which examples are clustered, by what, where the dendrogram is cut, and the order."""

from dataclasses import dataclass
from typing import Literal

from influence.errors import SettingsError

DEFAULT_THRESHOLD, DEFAULT_MIN_SIZE = 0.8, 3
FOLDS = 5  # each of the models leaves out a fifth of the data, to tell when to stop
WE, WE_TOPK = "tracin-we", "tracin-we-topk"
METHOD_CHOICES = (WE, WE_TOPK)

ClusterOrder = Literal["worth", "mistakes", "size"]  # see `cuts.clusters`


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Which examples are clustered, and by which influence."""

    difficult: float = 0.4  # smallest share of opinions, or with `models` of epochs, against the label; the paper's
    models: int = 0  # trained to find the difficult ones, in the paper 20; 0: by the opinions behind the suspects
    method: str | None = None  # None: `tracin-we` as in the paper, where the index holds all positions
    cap: int = 3_000  # the most suspicious of them; distances, dendrogram and map grow with the square
    seed: int = 0  # of the models and the map

    def __post_init__(self) -> None:
        if not 0 <= self.difficult <= 1:
            raise SettingsError(f"--difficult {self.difficult}: must be from 0 to 1, a share of opinions or epochs")
        if self.models < 0 or self.models % FOLDS:
            raise SettingsError(
                f"--models {self.models}: must be 0 or a multiple of {FOLDS}: each model leaves out a part of the data, "
                "and every example must be left out by as many"
            )
        if self.method is not None and self.method not in METHOD_CHOICES:
            raise SettingsError(f"--method {self.method}: choose {' or '.join(METHOD_CHOICES)}")
        if self.cap < 2:
            raise SettingsError(f"--cap {self.cap}: must be 2 or more examples")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")
