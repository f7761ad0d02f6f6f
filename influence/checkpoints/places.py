"""Where a build has its checkpoints until they are chosen, and what they predict."""

from pathlib import Path

RUN = "run"  # a folder of a build: all checkpoints of the run


def predictions_folder(build: Path, split: str, epoch: int, checkpoint: int | None) -> Path:
    """Where the predictions of a run's checkpoint lie: with the gradients, where these are stored as of `checkpoint`."""
    return build / "predictions" / split / str(epoch) if checkpoint is None else build / "index" / split / str(checkpoint)
