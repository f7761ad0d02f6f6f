"""What a build and a query cost as the data grow: time by stage, memory, disk by part; a size at a time, kept in a JSON file.

python tests/benchmarks/growth.py --data FILE.csv --rows 10000 [100000 …] [--results FILE.json] [--folder DIR] [--epochs N]
python tests/benchmarks/growth.py --results FILE.json                                       (the table of what is in it)

FILE.csv has real sentences and their labels, of which the rows are made (`recombined.py`). Everything runs in processes of its
own: a build from Parquet shards, with what the command `build` makes after it, and then one that asks 100 questions.
"""

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])
TESTS, ASKED, WARM = 1_000, 100, 20
EVERY = 0.1  # seconds between two looks at a process
FIGURES = ("VmRSS", "RssAnon")


def main() -> None:
    """Read the options; measure, or print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a CSV of real sentences with their labels")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--rows", type=int, nargs="*", default=[])
    parser.add_argument("--results", type=Path, default=Path("growth.json"))
    parser.add_argument("--folder", type=Path, help="where data and workspaces go (default: the system's temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave them there")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rank-up-to", type=int, default=10_000, metavar="ROWS", help="rank suspects and cluster up to so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", choices=["build", "query"], help=argparse.SUPPRESS)
    parser.add_argument("--given", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        given = json.loads(options.given)
        print(json.dumps(build(given) if options.worker == "build" else query(given)))
        return
    for rows in options.rows:
        measure(options, rows)
    print(table(kept(options.results)))


def kept(file: Path) -> list[dict[str, Any]]:
    """What has been measured, the smallest first."""
    found = json.loads(file.read_text()) if file.is_file() else []
    return sorted(found, key=lambda one: int(one["rows"]))


def measure(options: argparse.Namespace, rows: int) -> None:
    """Make data of one size, build and ask, and put what it took into the file of results."""
    from tests.benchmarks.recombined import read_halves, write_shards

    folder = Path(tempfile.mkdtemp(prefix=f"growth-{rows}-", dir=options.folder))
    try:
        halves = read_halves(options.data, options.text, options.label)
        train = write_shards(folder / "data", halves, rows, options.seed, "train")
        test = write_shards(folder / "data", halves, TESTS, options.seed + 1, "test")
        workspace = folder / "workspace"
        given = {"train": train, "test": test, "workspace": str(workspace), "epochs": options.epochs, "batch": options.batch_size}
        given["rank"] = rows <= options.rank_up_to
        measured = {"rows": rows, "bytes": sum(file.stat().st_size for file in (folder / "data").glob("train-*"))}
        for worker in ("build", "query"):
            measured[worker] = watched(worker, given)
            print(f"{rows:,} rows, {worker}: {measured[worker]}", file=sys.stderr, flush=True)
        measured["disk"] = disk(workspace)
        others = [one for one in kept(options.results) if one["rows"] != rows]
        options.results.write_text(json.dumps([*others, measured], indent=1))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def watched(worker: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a worker says, and the most memory that its processes had together."""
    arguments = [sys.executable, __file__, "--worker", worker, "--given", json.dumps(given)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        peaks: Counter[str] = Counter()
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(EVERY):
                for name, value in memory(process.pid).items():
                    peaks[name] = max(peaks[name], value)

        watching = threading.Thread(target=watch)
        watching.start()
        said, _ = process.communicate()
        ended.set()
        watching.join()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{worker} ended with {process.returncode}:\n{errors.read().decode()[-3_000:]}")
    return json.loads(said.splitlines()[-1]) | {"resident": peaks["VmRSS"], "own": peaks["RssAnon"]}


def memory(pid: int) -> dict[str, int]:
    """Bytes of a process and those it has started: resident, and of these its own (not pages of files)."""
    found = dict.fromkeys(FIGURES, 0)
    for one in [pid, *descendants(pid)]:
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] += 1024 * int(value.split()[0])
    return found


def descendants(pid: int) -> list[int]:
    """The processes that one has started, and those that they have."""
    try:
        listed = [Path(f"/proc/{pid}/task/{task.name}/children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    children = [int(child) for line in listed for child in line.split()]
    return children + [one for child in children for one in descendants(child)]


def build(given: dict[str, Any]) -> dict[str, Any]:
    """The worker that builds as the command does; seconds by stage."""
    from influence.clusters import write_clusters
    from influence.data import Columns
    from influence.suspects import write_suspects
    from influence.types import Stage
    from influence.workspace import BuildRequest, build_workspace, read_request, training_settings

    clock = {"read": time.monotonic()}
    seconds: Counter[str] = Counter()
    before = time.monotonic()

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal before
        now = time.monotonic()
        seconds[str(Stage.of(stage).kind)] += now - before
        before = now

    training = training_settings("cnn", epochs=given["epochs"], batch_size=given["batch"])
    request = BuildRequest(train=given["train"], test=given["test"], columns=Columns(), model="cnn", training=training)
    read = read_request(request, Path(given["workspace"]))
    clock["build"] = before = time.monotonic()
    info = build_workspace(given["workspace"], request, read, progress=progress)
    for name, make in (("suspects", write_suspects), ("clusters", write_clusters)):
        if given["rank"]:  # neighbours and embeddings are made for all rows: hours for a million
            clock[name] = time.monotonic()
            make(given["workspace"])
    clock["end"] = time.monotonic()
    names = list(clock)
    spans = {name: clock[after] - clock[name] for name, after in itertools.pairwise(names)}
    stages = {"read": spans.pop("read"), **seconds, "publish": spans.pop("build") - sum(seconds.values()), **spans}
    return {"seconds": stages, "accuracy": info.accuracy, "checkpoints": len(info.checkpoints)}


def query(given: dict[str, Any]) -> dict[str, Any]:
    """The worker that asks about sentences as they are typed, whose answers no build has stored; milliseconds of each."""
    import numpy as np
    import torch

    from influence.explanations import explain
    from influence.workspace import opened

    torch.set_num_threads(1)
    taken = []
    with opened(Path(given["workspace"])) as workspace:
        texts = [text for text, _ in workspace.store.texts("test")[: WARM + ASKED]]
        for text in texts:
            start = time.perf_counter()
            explain(workspace, text=f"{text} and more", top=10)
            taken.append(time.perf_counter() - start)
    p50, p95 = np.percentile(taken[WARM:], [50, 95]) * 1e3
    return {"p50": p50, "p95": p95, "first": taken[0] * 1e3}


def disk(workspace: Path) -> dict[str, int]:
    """Bytes by kind of file: of those that a number tells apart, all together."""
    found: Counter[str] = Counter()
    for file in workspace.rglob("*"):
        if file.is_file():
            name = re.sub(r"^builds/[^/]*/", "", file.relative_to(workspace).as_posix())
            found[re.sub(r"\d+", "*", name)] += file.stat().st_size
    return dict(found.most_common())


def table(measured: list[dict[str, Any]]) -> str:
    """Everything, in Markdown."""
    if not measured:
        return "nothing has been measured"
    rows: list[list[str]] = [["rows", *(f"{one['rows']:,}" for one in measured)]]
    stages = dict.fromkeys(stage for one in measured for stage in one["build"]["seconds"])
    rows.append(["Parquet", *(megabytes(one["bytes"]) for one in measured)])
    rows += [[f"{stage}, s", *(f"{one['build']['seconds'].get(stage, 0):,.1f}" for one in measured)] for stage in stages]
    rows.append(["all, s", *(f"{sum(one['build']['seconds'].values()):,.0f}" for one in measured)])
    for worker in ("build", "query"):
        rows.append([f"{worker}: resident at most", *(megabytes(one[worker]["resident"]) for one in measured)])
        rows.append([f"{worker}: of that its own", *(megabytes(one[worker]["own"]) for one in measured)])
    for name in ("p50", "p95", "first"):
        rows.append([f"query {name}, ms", *(f"{one['query'][name]:,.0f}" for one in measured)])
    totals = [sum(one["disk"].values()) for one in measured]
    rows.append(["disk", *map(megabytes, totals)])
    rows.append(["disk, bytes a row", *(f"{total / one['rows']:,.0f}" for total, one in zip(totals, measured, strict=True))])
    for part in list(measured[-1]["disk"])[:8]:
        rows.append([f"  {part}", *(megabytes(one["disk"].get(part, 0)) for one in measured)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def megabytes(count: int) -> str:
    """Bytes in MB."""
    return f"{count / 1e6:,.1f} MB"


if __name__ == "__main__":
    main()
