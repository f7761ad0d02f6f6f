"""How long one decision takes, and everything else that stands between a key press and the next example.

    python -m tests.benchmarks.reviews --examples 55401 --events 10000

Prints medians and 95th percentiles in milliseconds, on a queue of every example and a log of that many events.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from influence.fixes.files import encode_fixes
from influence.fixes.fixlist import fix_list
from influence.review.agreements import agreement
from influence.review.events import Evidence, Reviewer
from influence.review.queues import Queues
from influence.review.reviews import Reviews, open_reviews
from influence.rules.rule import Rule, preview
from tests.reviewing import decide_many, make_workspace

LABELS = ("Business", "Sci/Tech", "Sport", "World")
TIMES = 100


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--examples", type=int, default=55_401)
    options.add_argument("--events", type=int, default=10_000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = [f"word{n} " * 5 for n in range(997)]
        rows = [(f"e{n}", f"{words[n % 997]}{words[n * 7 % 997]}number {n}", LABELS[n % 4]) for n in range(given.examples)]
        workspace = make_workspace(Path(folder) / "ws", rows, labels=LABELS)
        reviews = open_reviews(workspace)
        fill(reviews, [row[0] for row in rows], given.events)
        print(f"{given.examples:,} examples, {given.events:,} events; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        measure(reviews, [row[0] for row in rows])
        reviews.close()
        clock("open", lambda: open_reviews(workspace).close(), times=3)


def fill(reviews: Reviews, ids: list[str], events: int) -> None:
    """Half of the events by single decisions of three people in the log's own way, half by bulk ones."""
    names = [Reviewer(name=name) for name in ("ann", "bob", "cat")]
    for turn in range(events // 200):
        decide_many(reviews, names[turn % 3], ids[turn * 150 : turn * 150 + 100], "remove")
        for id in ids[turn * 97 : turn * 97 + 100]:
            reviews.decide(names[turn % 3], id, "keep" if turn % 2 else "flag", note="benchmark")


def measure(reviews: Reviews, ids: list[str]) -> None:
    queues, dan = Queues(reviews), Reviewer(name="dan")
    clock("create a queue of all", lambda: queues.create(dan, f"all {time.time_ns()}", ids), times=3)
    queue = queues.all()[0].id
    evidence = Evidence(method="suspicion", score=0.9, ms_on_screen=3000, details={"reason": "4 of 5 models say Sport"})
    fresh = iter(ids)
    clock("decide", lambda: reviews.decide(dan, next(fresh), "keep", queue=queue, evidence=evidence))
    clock("decide again (no event)", lambda: reviews.decide(dan, ids[0], "keep"))
    clock("next", lambda: queues.next(queue, dan))
    clock("progress", lambda: queues.progress(queue, dan))
    clock("recent", lambda: reviews.recent(dan))
    clock("undo", lambda: reviews.undo(dan), times=20)
    clock("redo", lambda: reviews.redo(dan), times=20)
    clock("decide 1,000", lambda: decide_many(reviews, dan, [next(fresh) for _ in range(1000)], "remove"), times=5)
    clock("preview a rule by words", lambda: preview(reviews, dan, Rule(by="words", pattern="word7", action="remove")), times=3)
    regex = Rule(by="regex", pattern=r"number \d*77\b", action="remove")
    clock("preview a rule by expression", lambda: preview(reviews, dan, regex), times=3)
    clock("fix list", lambda: fix_list(reviews), times=3)
    clock("fix list as CSV", lambda: encode_fixes(fix_list(reviews).fixes, ".csv"), times=3)
    clock("agreement", lambda: agreement(reviews), times=3)


def clock(name: str, call: Callable[[], object], *, times: int = TIMES) -> None:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    print(f"{name:<30} {taken[len(taken) // 2]:8.1f}  {taken[int(len(taken) * 0.95)]:8.1f}")


if __name__ == "__main__":
    main()
