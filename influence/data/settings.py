"""What may be chosen about making data ready for a build."""

from dataclasses import dataclass

from influence.errors import SettingsError

DEFAULT_SHARE, MOST_TEST = 0.2, 5_000  # more test rows make a build slower and its figures hardly surer


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is done to the data, and how much of it becomes the test part where no test file is given."""

    drop_unusable: bool = False  # rows without a text or a label, and test rows whose label training never has
    merge_labels: bool = False  # labels that look alike get the spelling that occurs most
    test_share: float = DEFAULT_SHARE
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise SettingsError(f"--test-share {self.test_share}: must be above 0 and below 1")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")
