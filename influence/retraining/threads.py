"""How many threads a step should use, found by trying: the first steps of a training are timed with one and with all.

A small model's steps are no faster with more threads, and many times slower where other programs want the cores: on two
cores shared with some twenty other processes, 40 steps of the AG News CNN took 14 s with this choice (one thread stayed),
and were not done after 200 s with two threads throughout.
"""

import time
from typing import Self

import torch

WARM_UP, TRIED = 2, 4  # steps


class ThreadChoice:
    """Call before every step; after the first few the faster number of threads stays, until the end of the `with`."""

    def __init__(self) -> None:
        self._before = torch.get_num_threads()
        self._trials = [self._before, 1] if self._before > 1 else []
        self._spent: dict[int, float] = {}
        self._step, self._at = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._before)

    def step(self) -> None:
        """Say that a step is about to begin."""
        if not self._trials:
            return
        now = time.perf_counter()
        if self._step == WARM_UP + TRIED:
            self._spent[self._trials.pop(0)] = now - self._at
            self._step = 0
            torch.set_num_threads(self._trials[0] if self._trials else min(self._spent, key=self._spent.__getitem__))
        elif self._step == WARM_UP:
            self._at = now
        self._step += 1
