"""What may be chosen about the clusters: which examples are clustered, and where the dendrogram is cut."""

from dataclasses import dataclass

from influence.errors import SettingsError

DEFAULT_THRESHOLD, DEFAULT_MIN_SIZE = 0.8, 3


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Which examples are clustered."""

    difficult: float = 0.4  # smallest share of epochs after which an example was misclassified; the paper's
    cap: int = 3_000  # the most suspicious of them; distances, dendrogram and map grow with the square
    seed: int = 0  # of the map, and of the pairs that name large clusters

    def __post_init__(self) -> None:
        if not 0 <= self.difficult <= 1:
            raise SettingsError(f"--difficult {self.difficult}: must be from 0 to 1, a share of epochs")
        if self.cap < 2:
            raise SettingsError(f"--cap {self.cap}: must be 2 or more examples")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")
