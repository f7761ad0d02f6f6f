"""Fine-tuning with one checkpoint an epoch; every random choice follows from the seed and the epoch.

So an epoch can be run again, or resumed after, and gives the same weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from influence.errors import ModelError, SettingsError
from influence.models.encoding import Encoding, pad
from influence.models.inputs import check_tokens, model_inputs
from influence.models.packaged import CNN
from influence.types import LARGEST_SEED, IntArray, Progress, Stage, StageKind, silent

Optimizer = Literal["sgd", "adamw"]
SGD_STEPS, SGD_EPOCHS = 1_000, (5, 15)  # a CNN trained from scratch by SGD has hardly moved after a few hundred steps
MOST_EPOCHS = 1_000
BUCKET_BATCHES = 50  # shuffled batches whose examples are put together by length


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained. The learning rate is constant, so every epoch's checkpoint counts alike in a score."""

    epochs: int | None = None  # None: enough for SGD_STEPS steps, see `epochs_for`
    learning_rate: float
    optimizer: Optimizer
    batch_size: int
    seed: int = 0
    momentum: float = 0.9  # of SGD, as in the paper
    weight_decay: float = 0.0  # of SGD λ of the penalty λ/2 ‖Θ‖², of AdamW decoupled from the gradient
    schedule: Literal["constant"] = "constant"
    freeze_embedding: bool = False  # the word embedding stays as it began (section 5, no word overlap)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"--{name.replace('_', '-')} {value}: must be 1 or more")
        if not 0 < self.learning_rate < float("inf"):
            raise SettingsError(f"--learning-rate {self.learning_rate}: must be a number above 0")
        if self.optimizer not in ("sgd", "adamw"):
            raise SettingsError(f"--optimizer {self.optimizer}: choose sgd or adamw")
        if self.epochs is not None and self.epochs > MOST_EPOCHS:
            raise SettingsError(f"--epochs {self.epochs}: at most {MOST_EPOCHS:,}; each of them is kept")
        self._check_momentum_and_decay()
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")
        if self.seed > LARGEST_SEED:
            raise SettingsError(f"--seed {self.seed}: at most {LARGEST_SEED}")

    def _check_momentum_and_decay(self) -> None:
        if not 0 <= self.momentum < 1:
            raise SettingsError(f"--momentum {self.momentum}: must be 0 or more and below 1")
        if not 0 <= self.weight_decay < float("inf"):
            raise SettingsError(f"--weight-decay {self.weight_decay}: must be 0 or more")
        if self.learning_rate * self.weight_decay >= 1:
            raise SettingsError(
                f"--weight-decay {self.weight_decay}: with a learning rate of {self.learning_rate} a single step would take all "
                "of every weight away; give less than 1 / learning rate"
            )

    def epochs_for(self, n_train: int) -> int:
        """How many epochs to train on that many examples: as set, else as many as make `SGD_STEPS` steps, within bounds."""
        if self.epochs is not None:
            return self.epochs
        return int(np.clip(np.ceil(SGD_STEPS * self.batch_size / n_train), *SGD_EPOCHS))


def default_settings(model: str) -> TrainingSettings:
    """Settings that are known to train this kind of model: the paper's SGD moves a CNN but not a pretrained body."""
    if model == CNN:
        return TrainingSettings(learning_rate=2e-2, optimizer="sgd", batch_size=32)
    return TrainingSettings(epochs=3, learning_rate=1e-4, optimizer="adamw", batch_size=32)


def make_optimizer(model: PreTrainedModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    """A fresh optimizer over all of the model's parameters."""
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
    return torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def train_epoch(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    encoding: Encoding,
    labels_N: IntArray,
    settings: TrainingSettings,
    *,
    epoch: int,
    pad_token: int,
    pad_left: bool = False,
    examples_E: IntArray | None = None,
    progress: Progress = silent,
) -> float:
    """Train for one epoch (counted from 1) in place, on all examples or those given; returns the mean loss in nats.

    Raises `ModelError` when the loss stops being a number, or for a token that the model does not know.
    """
    check_tokens(model, encoding.tokens_R, encoding.types_R)
    device = next(model.parameters()).device
    chosen_E = np.arange(len(encoding)) if examples_E is None else examples_E
    batches = [chosen_E[batch] for batch in shuffled_batches(encoding.lengths_N[chosen_E], settings, epoch=epoch)]
    total = torch.zeros((), dtype=torch.float64, device=device)
    model.requires_grad_(True).train()
    if settings.freeze_embedding:  # without a gradient the optimizer leaves it alone, weight decay and all
        model.get_input_embeddings().requires_grad_(False)
    # Dropout draws from the global generator: fork it, so the caller's random state is left as it was.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(epoch_seed(settings.seed, epoch))
        for number, examples_B in enumerate(batches, start=1):
            batch = pad(encoding, examples_B, pad_token, left=pad_left)
            labels_B = torch.from_numpy(labels_N[examples_B].astype(np.int64)).to(device)
            logits_BY = model(**model_inputs(model, batch, device)).logits
            loss = F.cross_entropy(logits_BY, labels_B)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach().double() * len(examples_B)
            progress(Stage(StageKind.TRAIN, number=epoch), number, len(batches))
    mean = float(total) / len(chosen_E)
    if not np.isfinite(mean):
        raise ModelError(
            f"training diverged in epoch {epoch} (loss {mean}); use a smaller --learning-rate than {settings.learning_rate}"
        )
    model.eval()
    return mean


def shuffled_batches(lengths_N: IntArray, settings: TrainingSettings, *, epoch: int) -> Iterator[IntArray]:
    """Every example once, in random batches of similar length, so that little is padded."""
    generator = np.random.default_rng([settings.seed, epoch])
    order_N = generator.permutation(len(lengths_N))
    size = settings.batch_size
    batches = []
    for start in range(0, len(order_N), size * BUCKET_BATCHES):
        bucket = order_N[start : start + size * BUCKET_BATCHES]
        bucket = bucket[np.argsort(lengths_N[bucket], kind="stable")]
        batches += [bucket[at : at + size] for at in range(0, len(bucket), size)]
    for index in generator.permutation(len(batches)):
        yield batches[index]


def epoch_seed(seed: int, epoch: int) -> int:
    """What the random generators of an epoch's dropout are seeded with."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
