"""Clocks, and what the machine could do at best."""

import gc
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch


def interleaved(
    arms: Mapping[Any, Callable[[], object]], *, repeats: int, before: Callable[[], object] = gc.collect
) -> dict[Any, np.ndarray]:
    """Seconds of each run: every arm once to warm up, then all arms in turn, so that a busy moment hits them alike.

    `before` runs ahead of each, outside the clock.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in arms}
    for number in range(repeats + 1):
        for name, arm in arms.items():
            before()
            elapsed = seconds_of(arm)
            if number:
                seconds[name].append(elapsed)
    return {name: np.array(values) for name, values in seconds.items()}


def seconds_of(arm: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    arm()
    return time.perf_counter() - start


def read_bandwidth() -> float:
    """GB/s of the fastest of several ways to read a 256 MB array once."""
    array_PD = np.ones((500_000, 128), dtype=np.float32)
    vector_D = np.ones(128, dtype=np.float32)
    tensor = torch.from_numpy(array_PD)
    ways = {"sum": array_PD.sum, "matrix-vector": lambda: array_PD @ vector_D, "torch sum": tensor.sum}
    return max(array_PD.nbytes / values.min() / 1e9 for values in interleaved(ways, repeats=7).values())


def gemm_rate() -> float:
    """GFLOP/s of a float32 matrix product of 2,048 × 2,048, numpy's or PyTorch's, whichever is faster."""
    n = 2_048
    square = np.ones((n, n), dtype=np.float32)
    tensor = torch.from_numpy(square)
    ways = {"numpy": lambda: square @ square, "torch": lambda: tensor @ tensor}
    return max(2 * n**3 / values.min() / 1e9 for values in interleaved(ways, repeats=7).values())


def peak_megabytes() -> float | None:
    """Largest resident set of this process so far; None where the system does not say."""
    # Not getrusage: a process started from a large one inherits that one's peak in ru_maxrss.
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference over the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
