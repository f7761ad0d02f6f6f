"""What may be chosen about the held-out models."""

from dataclasses import dataclass

from influence.errors import SettingsError

DEFAULT_MODELS, DEFAULT_FOLDS = 5, 5


@dataclass(frozen=True, kw_only=True)
class HeldOutSettings:
    """How many models are trained on how large a part of the data; 0 models: none."""

    models: int = DEFAULT_MODELS
    folds: int = DEFAULT_FOLDS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise SettingsError(f"--folds {self.folds}: must be 2 or more")
        if self.models < 0 or self.models % self.folds:
            raise SettingsError(
                f"--models {self.models}: must be 0 or a multiple of --folds {self.folds}, "
                "so that every example is left out by as many models"
            )
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")
