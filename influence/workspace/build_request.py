"""What decides a build: two equal requests over the same bytes give equal builds."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from influence.checkpoints import MOST_CHECKPOINTS
from influence.data import Columns, Preparation, Splits
from influence.errors import SettingsError
from influence.files import model_sha256
from influence.models import CNN, TrainingSettings, default_settings
from influence.reading import FormOptions

LONGEST = 200_000  # tokens of a text: more than any classifier takes, and what can be tried before the build begins


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The data, the model, how it is trained or where its checkpoints come from, and what is indexed."""

    train: str
    test: str | None  # None: a part of `train` is set aside
    columns: Columns
    form: FormOptions = field(default_factory=FormOptions)
    preparation: Preparation = field(default_factory=Preparation)
    model: str = CNN
    num_hidden_layers: int | None = None
    checkpoints: str | None = None  # a Trainer output folder to import instead of training
    training: TrainingSettings | None = None  # None: imported
    max_length: int = 128
    top_k: int = 10
    store_rest: bool = False  # gradients of the positions outside the top k, too
    exact: bool = False  # rows of float32 instead of compact ones
    max_checkpoints: int = MOST_CHECKPOINTS  # whose gradients are stored; see `checkpoints.choose`
    bf16: bool = False
    keep_optimizer: bool = False  # AdamW's moments of the word embedding beside each checkpoint, for tracin-we-adam
    made_from: dict[str, Any] | None = None  # the workspace and the decisions that the data was made from: `standing.applied`

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SettingsError(f"--top-k {self.top_k}: must be 1 or more")
        if self.max_checkpoints < 1:
            raise SettingsError(f"--max-checkpoints {self.max_checkpoints}: must be 1 or more (the last is always one of them)")
        if self.max_length < 3:
            raise SettingsError(f"--max-length {self.max_length}: must be 3 or more (a word between start and end)")
        if self.max_length > LONGEST:
            raise SettingsError(f"--max-length {self.max_length}: at most {LONGEST:,}")
        if (self.training is None) == (self.checkpoints is None):
            raise SettingsError("give training settings or --checkpoints, and not both")
        if self.keep_optimizer and (self.training is None or self.training.optimizer != "adamw"):
            raise SettingsError("--keep-optimizer keeps the second moments of AdamW; it goes with --optimizer adamw")
        if self.keep_optimizer and self.training is not None and self.training.freeze_embedding:
            raise SettingsError("--keep-optimizer: with --freeze-embedding the optimizer has no moments of the word embedding")
        if self.checkpoints is not None and self.num_hidden_layers is not None:
            raise SettingsError("--num-hidden-layers cuts a model before training; it does not go with --checkpoints")


def training_settings(model: str, **overrides: Any) -> TrainingSettings:
    """The defaults of a kind of model with the given values (None: left as they are) put in.

    Raises `SettingsError` for one out of its range, and for a momentum where the optimizer has none.
    """
    settings = replace(default_settings(model), **{name: value for name, value in overrides.items() if value is not None})
    if settings.optimizer != "sgd" and overrides.get("momentum") is not None:
        raise SettingsError(f"--momentum {settings.momentum}: a setting of --optimizer sgd; {settings.optimizer} has none")
    return settings


def identity(request: BuildRequest, data: Splits) -> dict[str, Any]:
    """What a build folder must agree with to be resumed: the request, and the bytes of everything it names."""
    asked = json.loads(json.dumps(asdict(request)))
    if request.made_from is None:
        del asked["made_from"]  # which builds begun by an earlier version do not know
    return {
        "request": asked,
        "train_sha256": data.train.sha256,
        "test_sha256": data.test.sha256,
        "model_sha256": _model_hash(request.checkpoints or request.model),
    }


def _model_hash(name: str) -> str | None:
    folder = Path(name)
    return model_sha256(folder) if folder.is_dir() else None
