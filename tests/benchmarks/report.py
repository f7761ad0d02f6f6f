"""The whole report of the benchmarks, printed as it is measured."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from captum.influence import TracInCP, TracInCPFast
from transformers import PreTrainedModel

from influence.attribution.methods import METHODS
from influence.attribution.stored_queries import LiveQueries
from influence.workspace.workspace import open_index
from tests.benchmarks import building, querying
from tests.benchmarks.building import BuildTimes
from tests.benchmarks.peers import Captum
from tests.benchmarks.timing import gemm_rate, read_bandwidth, relative_difference
from tests.benchmarks.workload import LEARNING_RATES, Workload, bert, first, from_folder, synthetic, trained_cnns

CHECKPOINTS = len(LEARNING_RATES)
QUOTED_N = 50_000  # the size for which Captum's times are worked out
AGREE = 1e-4
CNN, SMALL_BERT = "cnn", "bert L2 H128"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    train: int
    test: int
    build: dict[str, int]  # examples for each model
    captum: int
    repeats: int
    queries: int


FULL = Sizes(
    train=50_000,
    test=2_000,
    build={CNN: 8_000, SMALL_BERT: 2_000, "bert L2 H384": 600},
    captum=128,
    repeats=5,
    queries=200,
)
QUICK = Sizes(train=4_000, test=300, build={CNN: 2_000, SMALL_BERT: 500, "bert L2 H384": 150}, captum=64, repeats=3, queries=50)


def print_report(*, quick: bool, data: Path | None, threads: int) -> None:
    """Measure and print everything."""
    torch.set_num_threads(threads)
    sizes = QUICK if quick else FULL
    workload = from_folder(data) if data is not None else synthetic(sizes.train, sizes.test)
    bandwidth, gemm = read_bandwidth(), gemm_rate()
    print(f"Wordtrace benchmarks: {workload.name}, {len(workload.test.encoding):,} queries, {threads} threads")
    print(f"This machine reads {bandwidth:.0f} GB/s and multiplies float32 matrices at {gemm:.0f} GFLOP/s; {_load()}.")
    cnns = trained_cnns(workload)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _print_answers(workload, cnns, folder / "small")
        builds = _print_builds(workload, cnns[-1], folder / "build", sizes, gemm)
        seconds = querying.build(cnns, workload, folder / "whole")
        texts = CHECKPOINTS * (len(workload.train.encoding) + len(workload.test.encoding))
        print(
            f"The whole index, cnn, {CHECKPOINTS} checkpoints, both splits: {seconds:.1f} s, {seconds / texts * 1e3:.3f} ms each."
        )
        _print_single(folder / "whole", querying.live_queries(cnns, workload.test), builds[CNN], sizes, bandwidth)
        _print_bulk(folder / "whole", workload, sizes, gemm)
    print(f"\nDone; {_load()}.")


def _print_answers(workload: Workload, cnns: list[PreTrainedModel], folder: Path) -> None:
    small = Workload("", first(workload.train, 48), first(workload.test, 4), workload.labels, workload.tokenizer)
    berts = [bert(SMALL_BERT, workload, seed=seed) for seed in range(CHECKPOINTS)]
    rows = []
    for name, models in ((CNN, cnns), (SMALL_BERT, berts)):
        querying.build(models, small, folder / name)
        for kind, method in ((TracInCP, "tracin-we"), (TracInCPFast, "tracin-last")):
            captum = Captum(
                kind, models, LEARNING_RATES, train=small.train, queries=small.test, pad_token=small.pad_token, batch_size=4
            )
            difference = relative_difference(
                _all_scores(folder / name, querying.live_queries(models, small.test), method), captum()
            )
            rows.append([name, method, kind.__name__, f"{difference:.1e}"])
            if not difference < AGREE:
                raise SystemExit(f"{name}, {method}: the answers differ by {difference:.1e}, so there is nothing to compare")
    _print_table("Same answers: largest difference over largest score", ["", "ours", "Captum's", "difference"], rows)


def _all_scores(folder: Path, queries: LiveQueries, method: str) -> np.ndarray:
    index = open_index(folder, querying.RATES_C)
    return np.stack([METHODS[method].score(index, queries[at]).sum(axis=0) for at in range(len(queries))])


def _print_builds(workload: Workload, cnn: PreTrainedModel, folder: Path, sizes: Sizes, gemm: float) -> dict[str, BuildTimes]:
    found = {}
    for name, examples in sizes.build.items():
        model = cnn if name == CNN else bert(name, workload)
        found[name] = building.measure(model, workload, folder, ours_n=examples, captum_n=sizes.captum, repeats=sizes.repeats)
    rows = []
    for name, times in found.items():
        (captum, batch), (fast, fast_batch) = times.captum[TracInCP], times.captum[TracInCPFast]
        rate = times.gflop / times.floor * 1e3
        rows.append(
            [
                name,
                f"{times.floor:.3f}",
                f"{rate:.0f} ({rate / gemm:.0%})",
                f"{times.ours:.3f}",
                f"{times.over_floor:.2f}×",
                f"{times.synced:.3f}",
                f"{captum:.2f} (batches of {batch})",
                f"{captum / times.ours:.0f}×",
                f"{fast:.2f} (of {fast_batch})",
            ]
        )
    head = ["", "floor", "its GFLOP/s", "ours", "/ floor", "ours, synced", "TracInCP", "/ ours", "TracInCPFast"]
    _print_table("1. Index build, ms per training example and checkpoint, medians", head, rows)
    print("floor: forward, and backward to the embedding, in the same batches, nothing kept. ours: index written and sorted.")
    print(f"Captum: one influence() call for one query, {sizes.captum} examples, the batch size that suits it best.")
    return found


def _print_single(folder: Path, queries: LiveQueries, build: BuildTimes, sizes: Sizes, bandwidth: float) -> None:
    rows, halves = [], {}
    for method in ("tracin-we-topk", "tracin-we"):
        times = querying.one_at_a_time(folder, queries, method, queries=sizes.queries)
        rate = float(np.median(times.bytes_Q / times.scores_Q)) / 1e6
        halves[method] = float(np.median(times.scores_Q))
        rows.append(
            [
                method,
                *(f"{value:.2f}" for value in np.percentile(times.scores_Q, [50, 95])),
                *(f"{value:.2f}" for value in np.percentile(times.answer_Q, [50, 95])),
                f"{np.median(times.bytes_Q) / 1e6:.1f}",
                f"{np.median(times.read_Q):.2f}",
                f"{np.median(times.scores_Q / times.read_Q):.2f}×",
                f"{rate:.1f} ({rate / bandwidth:.0%})",
            ]
        )
    examples = len(open_index(folder, querying.RATES_C).labels_N)
    head = ["", "p50", "p95", "with words p50", "p95", "MB read", "reading them", "ours / reading", "GB/s"]
    _print_table(f"2. One query of {examples:,} examples × {CHECKPOINTS} checkpoints, index warm, ms", head, rows)
    for kind, (each, _) in build.captum.items():
        seconds = each / 1e3 * QUOTED_N * CHECKPOINTS
        print(
            f"Captum {kind.__name__}: {seconds:,.0f} s a query, {seconds * 1e3 / halves['tracin-we']:,.0f}× tracin-we, "
            f"{seconds * 1e3 / halves['tracin-we-topk']:,.0f}× tracin-we-topk "
            f"({each:.2f} ms from table 1 × {QUOTED_N:,} × {CHECKPOINTS}, extrapolated)."
        )


def _print_bulk(folder: Path, workload: Workload, sizes: Sizes, gemm: float) -> None:
    times = querying.all_at_once(folder, sampled=sizes.queries)
    examples = len(workload.train.encoding)
    millions = times.queries * examples / 1e6
    print(f"\n3. All queries at once, tracin-we-topk: {times.queries:,} × {examples:,} = {millions:,.0f} million influences")
    print(f"{times.seconds:.1f} s, {millions / times.seconds:,.0f} million a second; relative difference {times.difference:.0e}.")
    slower = times.one_at_a_time_seconds / times.seconds
    print(f"One at a time: {times.one_at_a_time_seconds:.1f} s, {slower:.1f}× as long (from {sizes.queries} of them).")
    rate = times.gflop / times.seconds
    print(f"{times.gflop:,.0f} GFLOP of inner products: {rate:.0f} GFLOP/s, {rate / gemm:.0%} of the machine's matrix product.")
    if times.peak_megabytes is not None:
        print(
            f"Peak memory {times.peak_megabytes:,.0f} MB, {times.before_megabytes:,.0f} MB before the first query; "
            f"up to {times.mapped_megabytes:,.0f} MB are the mapped postings, which the system may drop."
        )


def _load() -> str:
    # Times of a machine that has other things to do are worth little, so the report says how busy it was.
    return f"{os.getloadavg()[0]:.1f} processes wanted its {os.cpu_count()} cores in the last minute"


def _print_table(title: str, head: list[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}")
    for row in (head, *rows):
        first_cell, *cells = (
            cell.ljust(w) if at == 0 else cell.rjust(w) for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first_cell, *cells]), flush=True)
