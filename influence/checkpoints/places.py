"""Where a build has its checkpoints until they are chosen, and what they predict."""

from pathlib import Path

RUN = "run"  # a folder of a build: all checkpoints of the run


def predictions_folder(build: Path, split: str, epoch: int) -> Path:
    """Where the predictions of a run's checkpoint lie whose gradients are not stored; those of the others lie in the index."""
    return build / "predictions" / split / str(epoch)
