"""Benchmark of the index build: ours, the floor of a plain forward and backward pass, and Captum."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from captum.influence import TracInCP, TracInCPFast
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from influence.files import sync
from influence.gradients.alike import first_alike
from influence.gradients.positions import GradientSettings, WordGradients
from influence.models.encoding import length_buckets, pad
from influence.models.inputs import BATCH_TOKENS, model_inputs
from influence.segments.plan import IndexSettings, plan_segments, save_plan
from influence.segments.writer import write_segment
from tests.benchmarks.peers import Captum
from tests.benchmarks.timing import interleaved
from tests.benchmarks.workload import Split, Workload, first

TOP_K = 10
BATCHES = {TracInCP: (1, 2, 4, 8, 16), TracInCPFast: (16, 64, 256)}


class BuildTimes(NamedTuple):
    """Milliseconds per training example and checkpoint, medians."""

    floor: float  # forward, and backward to the embedding's output, in the engine's batches; nothing kept
    ours: float  # the index written and sorted
    synced: float  # and the disk says that it holds every byte
    over_floor: float  # median of ours over the floor measured beside it
    captum: dict[type, tuple[float, int]]  # of TracInCP and TracInCPFast at the batch size that suits each best, and that
    gflop: float  # of one example's forward and backward


def measure(model: PreTrainedModel, workload: Workload, folder: Path, *, ours_n: int, captum_n: int, repeats: int) -> BuildTimes:
    """Time one model: ours and the floor on `ours_n` examples, Captum on `captum_n` at each batch size."""
    part = first(workload.train, ours_n)
    rivals = dict(_rivals(model, first(workload.train, captum_n), first(workload.test, 1), workload.pad_token))
    sweep = {arm: float(seconds[0]) for arm, seconds in interleaved(rivals, repeats=1).items()}
    best = {kind: min((arm for arm in rivals if arm[0] is kind), key=sweep.__getitem__) for kind in BATCHES}
    arms = {
        "floor": partial(_floor, model, part, workload.pad_token),
        "ours": partial(_ours, model, part, folder, durable=False),
        "synced": partial(_ours, model, part, folder, durable=True),
        **{arm: rivals[arm] for arm in best.values()},
    }
    times = interleaved(arms, repeats=repeats, before=partial(shutil.rmtree, folder, ignore_errors=True))
    each = {arm: float(np.median(seconds)) / (captum_n if arm in rivals else ours_n) * 1e3 for arm, seconds in times.items()}
    return BuildTimes(
        each["floor"],
        each["ours"],
        each["synced"],
        float(np.median(times["ours"] / times["floor"])),
        {kind: (each[arm], arm[1]) for kind, arm in best.items()},
        _gflop(model, part, workload.pad_token),
    )


def write(gradients: WordGradients, split: Split, folder: Path, checkpoint: int, settings: IndexSettings) -> None:
    """One checkpoint's index of a split, as a build writes it."""
    segments = plan_segments(split.encoding.lengths_N, gradients.model.get_input_embeddings().weight.shape[1], settings)
    folder.mkdir(parents=True, exist_ok=True)
    save_plan(folder, segments)
    first_N = first_alike(split.encoding, split.labels_N)
    for segment in segments:
        at = folder / segment.name / str(checkpoint)
        write_segment(gradients, split.encoding, split.labels_N, first_N, at, segment, settings=settings)


def _ours(model: PreTrainedModel, split: Split, folder: Path, *, durable: bool) -> None:
    settings = GradientSettings(device=torch.device("cpu"))
    with WordGradients(model, settings) as gradients:
        write(gradients, split, folder, 0, IndexSettings(top_k=TOP_K))
    if durable:
        sync(folder)


def _floor(model: PreTrainedModel, split: Split, pad_token: int) -> None:
    leaves: list[torch.Tensor] = []

    def hook(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        leaves.append(output.detach().requires_grad_(True))
        return leaves[-1]

    handle = model.eval().requires_grad_(False).get_input_embeddings().register_forward_hook(hook)
    for examples_B in length_buckets(split.encoding.lengths_N, batch_tokens=BATCH_TOKENS["cpu"]):
        logits_BY = model(**model_inputs(model, pad(split.encoding, examples_B, pad_token), torch.device("cpu"))).logits
        loss = F.cross_entropy(logits_BY, torch.from_numpy(split.labels_N[examples_B]), reduction="sum")
        torch.autograd.grad(loss, [leaves.pop()])
    handle.remove()


def _rivals(model: PreTrainedModel, train: Split, query: Split, pad_token: int) -> Iterator[tuple[tuple[type, int], Captum]]:
    for kind, sizes in BATCHES.items():
        for size in sizes:
            yield (
                (kind, size),
                Captum(kind, [model], [1.0], train=train, queries=query, pad_token=pad_token, batch_size=size),
            )


def _gflop(model: PreTrainedModel, split: Split, pad_token: int) -> float:
    with FlopCounterMode(display=False) as counter:
        _floor(model, split, pad_token)
    return counter.get_total_flops() / len(split.encoding) / 1e9
