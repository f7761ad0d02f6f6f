"""From a run's checkpoints to those that are kept: what every one predicts, which are chosen, the others' weights removed."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from influence.checkpoints.choice import choose
from influence.checkpoints.kept import keep
from influence.checkpoints.places import RUN, predictions_folder
from influence.checkpoints.predictions import mean_loss, write_predictions
from influence.checkpoints.series import Checkpoint, Epoch, checkpoint_folder, read_checkpoints, read_epochs, write_epochs
from influence.gradients import GradientSettings, HookedModel
from influence.models import Encoding, load_classifier
from influence.types import IntArray, Progress, Stage, StageKind


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Chooses the checkpoints of a build: at most `most`, by the fall of the training loss as the checkpoints have it.

    What checkpoints that are not chosen predict is kept. Begun again after an interruption, it goes on.
    """

    build: Path
    most: int
    settings: GradientSettings

    def run(self, encodings: Mapping[str, Encoding], labels: Mapping[str, IntArray], progress: Progress) -> list[Epoch]:
        """All checkpoints of the run, and which of them are kept now."""
        kept = self.build / "checkpoints"
        epochs = read_epochs(kept)
        if epochs is None:
            found = read_checkpoints(self.build / RUN)
            chosen = list(range(len(found)))
            if len(found) > self.most:
                self._predict(len(found), encodings, labels, progress)
                chosen = self._choose(found)
            places = {epoch: number for number, epoch in enumerate(chosen)}
            epochs = [Epoch(*one, checkpoint=places.get(epoch)) for epoch, one in enumerate(found)]
            write_epochs(kept, epochs)
        chosen = [place for place, epoch in enumerate(epochs) if epoch.checkpoint is not None]
        for split in encodings:
            for place in chosen:  # their predictions are made again as their gradients are
                shutil.rmtree(predictions_folder(self.build, split, place), ignore_errors=True)
        keep(self.build / RUN, kept, chosen, progress)
        return epochs

    def _predict(self, count: int, encodings: Mapping[str, Encoding], labels: Mapping[str, IntArray], progress: Progress) -> None:
        for epoch in range(count):
            model = load_classifier(str(checkpoint_folder(self.build / RUN, epoch)))
            with HookedModel(model, self.settings) as hooked:
                for split, encoding in encodings.items():
                    folder = predictions_folder(self.build, split, epoch)
                    stage = Stage(StageKind.PREDICT, number=epoch + 1, out_of=count, examples=split)
                    write_predictions(hooked, encoding, labels[split], folder, stage=stage, progress=progress)

    def _choose(self, found: list[Checkpoint]) -> list[int]:
        losses_E = [mean_loss(predictions_folder(self.build, "train", epoch)) for epoch in range(len(found))]
        return choose(losses_E, [one.learning_rate for one in found], self.most)
