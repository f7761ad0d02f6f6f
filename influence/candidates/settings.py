"""What may be chosen about a ranking of candidates; imports nothing heavy, so that help comes at once."""

from dataclasses import dataclass

from influence.attribution import DEFAULT_METHOD
from influence.errors import SettingsError

DEFAULT_TOP = 200
SUMMED_METHODS = ("tracin-we-topk", "tracin-we", "tracin-we-noc", "tracin-common", "tracin-last")
RANKS = {
    "influence": "the mean score with the chosen test sentences",
    "relative": "that score over the square root of the row's influence on itself, so that long gradients do not win by length",
    "alike": "the largest tf-idf cosine with any of them: the texts alone, no model and no label",
}


@dataclass(frozen=True, kw_only=True)
class CandidateSettings:
    """Which test sentences are to be helped, by which scores, and how many rows are to be looked at closely."""

    test_ids: tuple[str, ...] = ()  # none: every wrong prediction of the test split, or those chosen below
    label: str | None = None  # of the wrong predictions: the given label
    predicted: str | None = None  # and the one predicted
    method: str = DEFAULT_METHOD
    rank: str = "influence"
    top: int = DEFAULT_TOP  # rows whose words, and the test sentence that each helps most, are worked out

    def __post_init__(self) -> None:
        if self.top < 1:
            raise SettingsError(f"--top {self.top}: must be 1 or more")
        if self.method not in SUMMED_METHODS:
            raise SettingsError(f"--method {self.method}: candidates are scored by one of {', '.join(SUMMED_METHODS)}")
        if self.rank not in RANKS:
            raise SettingsError(f"--rank {self.rank}: choose one of {', '.join(RANKS)}")
        if self.test_ids and (self.label is not None or self.predicted is not None):
            raise SettingsError("--for names test sentences: leave --given and --predicted out, which choose among wrong ones")
