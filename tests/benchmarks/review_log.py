"""A long review log: seconds and memory to open it, and how long a decision takes then.

    python -m tests.benchmarks.review_log --lines 1000000 [--folder DIR] [--tail 1000]

Makes a journal of that many lines (20 reviewers, 50,000 examples, 3 % undone) where the folder has none, and opens it in
processes of their own: from the journal alone, from the snapshot, and from the snapshot with a tail that it lacks. Then 200
decisions on examples at random, an undo, and a queue of 1,000. Prints wall and CPU seconds, and the peak of memory.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from influence.data.dataset import text_sha256
from influence.review.events import Reviewer
from influence.review.journal import Record, seal
from influence.review.log import DATABASE, JOURNAL, ReviewLog
from influence.review.queues import Queues
from influence.review.reviews import Reviews
from influence.workspace.workspace import read_workspace
from tests.benchmarks.timing import peak_megabytes
from tests.reviewing import make_workspace

EXAMPLES, REVIEWERS, LABELS = 50_000, 20, ("World", "Sport", "Business")
TIMES = 200
EVIDENCE = {"reason": "given World, 4 of 5 opinions say Sport", "suggested_label": "Sport", "opponents": ["e1", "e2", "e3"]}


def main() -> None:
    """Make the log and open it three times; or, for the process that the others start, open it once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--tail", type=int, default=1_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--open", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        measure(options.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "ws"
        if not (folder / JOURNAL).exists():
            make(folder, options.lines)
        again = [sys.executable, "-m", "tests.benchmarks.review_log", "--open", "--folder", str(folder)]
        if not (folder / DATABASE).exists():
            print("from the journal alone")
            subprocess.run(again, check=True)
        print("from the snapshot")
        subprocess.run(again, check=True)
        print(f"from the snapshot with a tail of {options.tail:,} lines")
        last = ReviewLog(folder)
        record = last._last
        last.close()
        with (folder / JOURNAL).open("a", encoding="utf-8") as file:
            for line in lines(options.tail, record):
                file.write(line + "\n")
        subprocess.run(again, check=True)


def make(folder: Path, count: int) -> None:
    """A workspace with a journal of so many lines."""
    make_workspace(folder, [(f"e{n}", f"text number {n} of the data", LABELS[n % 3]) for n in range(EXAMPLES)])
    with (folder / JOURNAL).open("w", encoding="utf-8") as file:
        for line in lines(count, None):
            file.write(line + "\n")


def lines(count: int, last: Record | None) -> list[str]:
    """Lines that follow a record."""
    generator, at, found = random.Random(0), 1_790_000_000_000, []
    for number in range(count):
        at += generator.randrange(100, 2_000)
        who = {
            "reviewer": f"reviewer{generator.randrange(REVIEWERS)}",
            "auth": "local",
            "session": "0123456789abcdef",
            "app": "0",
        }
        if number > 10 and generator.random() < 0.03:
            assert last is not None
            content = {"type": "undo", **who, "target": last.seq if last.content["type"] == "act" else last.seq - 1}
        else:
            n, kind = generator.randrange(EXAMPLES), generator.choice(("keep", "relabel", "remove", "flag", "skip"))
            event = {"kind": kind, "example_id": f"e{n}", "text_sha256": text_sha256(f"text number {n} of the data", None)}
            event |= {"old_label": LABELS[n % 3], "method": "suspicion", "score": generator.random(), "ms_on_screen": 3_000}
            event |= {"evidence": EVIDENCE, **({"new_label": LABELS[(n + 1) % 3]} if kind == "relabel" else {})}
            content = {
                "type": "act",
                **who,
                "build": "b1",
                "queue": None,
                "origin": None,
                "adjudicates": False,
                "events": [event],
            }
        last = seal({**content, "at": at}, last)
        found.append(last.line)
    return found


def measure(folder: Path) -> None:
    """Open the log once, and decide."""
    workspace = read_workspace(folder)
    before = peak_megabytes()
    started = time.perf_counter(), time.process_time()
    log = ReviewLog(folder)
    report("open", started)
    print(f"  memory {before:,.0f} MB before, {peak_megabytes():,.0f} MB at most when open, {log.next_seq - 1:,} records")
    reviews, generator, me = Reviews(workspace, log), random.Random(time.time_ns()), Reviewer(name="dan", session="1")
    ids = list(reviews.corpus.examples)
    taken = []
    for number in range(TIMES):
        id = generator.choice(ids)
        started = time.perf_counter(), time.process_time()
        reviews.decide(me, id, "keep" if number % 2 else "flag")
        taken.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    walls, cpus = (sorted(column) for column in zip(*taken, strict=True))
    middle, end = TIMES // 2, int(0.95 * TIMES)
    print(
        f"  decide: median {1000 * walls[middle]:.1f} ms, p95 {1000 * walls[end]:.1f} ms; CPU median {1000 * cpus[middle]:.1f} ms"
    )
    started = time.perf_counter(), time.process_time()
    reviews.undo(me)
    report("undo", started)
    queues = Queues(reviews)
    started = time.perf_counter(), time.process_time()
    queue = queues.create(me, f"a thousand {time.time_ns()}", ids[:1_000], overlap=20).id
    queues.next(queue, me)
    report("make a queue of 1,000 and open it", started)
    started = time.perf_counter(), time.process_time()
    queues.next(queue, me, after=ids[500])
    report("next", started)
    log.close()
    print(f"  memory {peak_megabytes():,.0f} MB at most")


def report(name: str, started: tuple[float, float]) -> None:
    """Wall and CPU seconds since."""
    print(f"  {name}: {time.perf_counter() - started[0]:.3f} s, CPU {time.process_time() - started[1]:.3f} s")


if __name__ == "__main__":
    main()
