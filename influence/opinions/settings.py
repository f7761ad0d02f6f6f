"""What may be chosen about the opinions: the sentence encoder, and the held-out models."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from influence.errors import SettingsError
from influence.types import LARGEST_SEED

DEFAULT_FOLDS = 5
MOST_MODELS = 1_000  # a model takes as long as the workspace's own
AUTO, NO_ENCODER = "auto", "none"
LONGEST = 128  # tokens of a text that a sentence encoder reads


@dataclass(frozen=True, kw_only=True)
class HeldOutSettings:
    """How many models like the workspace's own are trained on how large a part of the data; 0 models: none."""

    models: int = 0
    folds: int = DEFAULT_FOLDS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise SettingsError(f"--folds {self.folds}: must be 2 or more")
        if self.models > MOST_MODELS or self.folds > MOST_MODELS:
            raise SettingsError(f"--models {self.models} --folds {self.folds}: at most {MOST_MODELS:,} of either")
        if self.models < 0 or self.models % self.folds:
            raise SettingsError(
                f"--models {self.models}: must be 0 or a multiple of --folds {self.folds}, "
                "so that every example is left out by as many models"
            )
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")
        if self.seed > LARGEST_SEED:
            raise SettingsError(f"--seed {self.seed}: at most {LARGEST_SEED}")


@dataclass(frozen=True, kw_only=True)
class OpinionSettings:
    """Which opinions are made, and what of the test split they may use."""

    encoder: str = AUTO  # a model folder or Hub id, `AUTO` or `NO_ENCODER`
    held_out: HeldOutSettings = HeldOutSettings()
    test_labels_checked: bool = False  # then a model trained on the test split counts as an opinion
    use_test_balance: bool = True  # then opinions are scaled to how often each label occurs in the test split

    def __post_init__(self) -> None:
        if not self.encoder.strip():
            raise SettingsError("--encoder '': name a model folder or Hub id, or none")


def read_settings(content: Mapping[str, Any]) -> OpinionSettings:
    """The settings as they were kept (`dataclasses.asdict`); those of an older ranking as far as they are known."""
    known = {field.name: content[field.name] for field in fields(OpinionSettings) if field.name in content}
    held_out = known.get("held_out", content)
    models = {field.name: held_out[field.name] for field in fields(HeldOutSettings) if field.name in held_out}
    return OpinionSettings(**{**known, "held_out": HeldOutSettings(**models)})
