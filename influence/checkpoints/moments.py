"""What AdamW kept of the word embedding's gradients beside a checkpoint; read without PyTorch."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from influence.errors import WorkspaceError
from influence.types import FloatArray

MOMENTS = "adam.safetensors"  # in a checkpoint's folder: exp_avg, exp_avg_sq; step and beta2 in its metadata


def read_second_moments(folder: Path) -> FloatArray | None:
    """v̂ of a checkpoint's word embedding, float32 of shape (V, D), its bias corrected; None where it was not kept."""
    file = folder / MOMENTS
    if not file.is_file():
        return None
    try:
        with safe_open(str(file), framework="np") as opened:
            about, moments_VD = opened.metadata(), opened.get_tensor("exp_avg_sq")
        corrected_VD: FloatArray = moments_VD / np.float32(1 - float(about["beta2"]) ** int(about["step"]))
    except (SafetensorError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise WorkspaceError(f"{str(file)!r} cannot be read: {error}; build the workspace again") from error
    return corrected_VD
