"""Compact rows beside float32 ones: the answers, and the time of a query and of a whole test split.

python tests/benchmarks/compact_rows.py --before FOLDER --workspace DIR [--queries N]
python tests/benchmarks/compact_rows.py --exactness DIR [DIR …] [--queries N]

--before: a checkout of an earlier commit (`git worktree add FOLDER a7317d1`), whose engine is timed on a workspace that it built
(`cd FOLDER && python -m influence build … --workspace DIR`). The segments are made here from the checkpoints of that workspace.
--exactness: of published workspaces; the 100 strongest on either side by compact rows and by exact ones of the same checkpoints.
One thread for everybody; queries in turn, a whole round of one engine after a round of the other.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
os.environ["OMP_NUM_THREADS"] = "1"
ROUNDS, SHOWN, TOP = 5, 10, 100

BEFORE = """
import json, sys, time
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from influence.workspace import open_index, open_queries
from influence.methods import METHODS, extremes
from influence.results import queries_at_once
build, rates, shown, top = Path(sys.argv[1]), np.array(json.loads(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
index, stored, method = open_index(build / "index", rates), open_queries(build / "index", len(rates)), METHODS["tracin-we-topk"]
ranks = np.arange(len(index.labels_N))
def answer(query):
    found = extremes(method.score(index, query).sum(axis=0), ranks, shown)
    index.matches(query, np.concatenate(found), method.selection)
for line in sys.stdin:
    asked = json.loads(line)
    if asked[0] == "times":
        queries, times = [stored[at] for at in asked[1]], []
        for query in queries:
            start = time.perf_counter(); answer(query); times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)
    elif asked[0] == "top":
        scores = [method.score(index, stored[at]).sum(axis=0) for at in asked[1]]
        print(json.dumps([[side.tolist() for side in extremes(one, ranks, top)] for one in scores]), flush=True)
    else:
        start = time.perf_counter()
        for _, batch in stored.in_batches(queries_at_once(len(ranks))):
            index.word_scores_many(batch, method.selection)
        peak = next(int(row.split()[1]) for row in open("/proc/self/status") if row.startswith("VmHWM"))
        print(json.dumps([time.perf_counter() - start, peak / 1024]), flush=True)
"""


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="a checkout of the commit to be beaten")
    parser.add_argument("--workspace", type=Path, help="a workspace that it built")
    parser.add_argument("--exactness", type=Path, nargs="+", default=[], help="published workspaces")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--bulk", action="store_true", help="the whole test split too")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    for path in options.exactness:
        exactness(path, options.queries)
    if options.before:
        beside(options.before, options.workspace, options.queries, bulk=options.bulk)


def exactness(path: Path, count: int) -> None:
    """How many of the 100 strongest on either side are the same, in the same places."""
    import numpy as np

    from influence.attribution import METHODS
    from influence.formulas import extremes
    from influence.workspace import opened

    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    with opened(path) as workspace, made(workspace, exact=True) as exact:
        rows = np.random.default_rng(0).choice(len(workspace.queries), min(count, len(workspace.queries)), replace=False)
        same = places = sets = 0
        gaps, off = [0.0], 0.0
        for query in workspace.queries.several(rows.tolist()):
            scores_N = exact.word_scores(query, selection).sum(axis=0)
            largest = np.abs(scores_N).max()
            found = workspace.index.strongest(query, selection, workspace.tie_ranks_N, TOP)
            for side_E, scores_EC, expected_E in zip(
                found[:2], found[2:4], extremes(scores_N, workspace.tie_ranks_N, TOP), strict=True
            ):
                assert len(side_E) == len(expected_E)
                wrong = side_E != expected_E
                same, places = same + int((~wrong).sum()), places + len(side_E)
                sets += len(set(side_E.tolist()) - set(expected_E.tolist()))
                gaps += (np.abs(scores_N[side_E] - scores_N[expected_E])[wrong] / largest).tolist()
                off = max(off, np.abs(scores_EC.sum(axis=1) - scores_N[side_E]).max(initial=0) / largest)
        print(f"{path.name}: {len(rows)} sentences; {same:,} of {places:,} places hold the same example,")
        print(f"  {sets} examples are not in the exact list; where places differ, exact scores do by at most {max(gaps):.1e}")
        print(f"  of the largest; scores shown are off by at most {off:.1e} of it", flush=True)


@contextmanager
def made(workspace, *, exact: bool) -> Iterator:
    """The index of a published workspace's training set once more, from its checkpoints, in a folder that goes again."""
    from influence.checkpoints import load_checkpoint

    build = workspace.build
    with tempfile.TemporaryDirectory(prefix="wordtrace-rows-") as name:
        write(Path(name), workspace, lambda number: load_checkpoint(build / "checkpoints", number), exact=exact)
        yield index_in(Path(name), workspace)


def write(folder: Path, workspace, model, *, exact: bool, test: bool = False) -> None:
    """Segments of the training set of a workspace, and of its test set, by these checkpoints."""
    import numpy as np
    import torch

    from influence.gradients import GradientSettings
    from influence.segments import IndexBuilder, IndexSettings

    index, queries = workspace.index, workspace.queries
    splits = {"train": (index.encoding, index.labels_N), "test": (queries.encoding, queries.labels_M)}
    if not test:
        del splits["test"]
    for split in splits:
        (folder / split).mkdir()
    builder = IndexBuilder(
        folder=folder,
        encodings={split: encoding for split, (encoding, _) in splits.items()},
        labels={split: np.asarray(labels) for split, (_, labels) in splits.items()},
        settings={split: IndexSettings(top_k=workspace.info.top_k, exact=exact) for split in splits},
        checkpoints=len(index.learning_rates_C),
        model=model,
        options=GradientSettings(device=torch.device("cpu")),
    )
    builder.prepare(index.width)
    builder.run()


def index_in(folder: Path, workspace):
    """The index whose segments `write` wrote."""
    from influence.attribution import WordIndex

    index = workspace.index
    return WordIndex(
        folder / "train",
        index.encoding,
        labels_N=index.labels_N,
        learning_rates_C=index.learning_rates_C,
        special_V=index.token_kinds.special_V,
        common_V=index.token_kinds.special_V,
    )


def beside(checkout: Path, path: Path, count: int, *, bulk: bool) -> None:
    """Times of both engines on the same checkpoints and sentences, and their answers compared first."""
    import numpy as np

    from influence.attribution import METHODS
    from influence.models import load_classifier
    from influence.workspace import opened
    from tests.benchmarks.timing import seconds_of

    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    with opened(path) as workspace, tempfile.TemporaryDirectory(prefix="wordtrace-rows-") as name:
        build, rates = workspace.build, workspace.learning_rates_C.tolist()
        started = [sys.executable, "-c", BEFORE, str(build.resolve()), json.dumps(rates), str(SHOWN), str(TOP)]
        with subprocess.Popen(started, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as before:

            def ask(*what: object):
                assert before.stdin is not None
                assert before.stdout is not None
                print(json.dumps(what), file=before.stdin, flush=True)
                return json.loads(before.stdout.readline())

            def load(number: int):
                return load_classifier(str(build / "checkpoints" / str(number)))

            write(Path(name), workspace, load, exact=False, test=bulk)
            index = index_in(Path(name), workspace)
            rows = np.random.default_rng(0).choice(len(workspace.queries), min(count, len(workspace.queries)), replace=False)
            queries, ranks = workspace.queries.several(rows.tolist()), np.arange(len(index.labels_N))
            same = [
                sum(one == other for one, other in zip(mine.tolist(), theirs, strict=True)) / max(1, len(theirs))
                for query, sides in zip(queries, ask("top", rows.tolist()), strict=True)
                for mine, theirs in zip(index.strongest(query, selection, ranks, TOP)[:2], sides, strict=True)
            ]
            print(f"{path.name}: {100 * np.mean(same):.3f} % of the places of the {TOP} strongest hold the same example")

            def answer(at: int) -> None:
                found = index.strongest(queries[at], selection, ranks, SHOWN)
                assert found.proponent_matches is not None  # with the words that the earlier engine is asked for afterwards
                assert found.opponent_matches is not None

            planes = [list(_planes(index, query, selection)) for query in queries]
            arms = {
                "answer": answer,
                "scan": lambda at: index.scan(queries[at], selection),
                "read": lambda at: [plane.sum() for plane in planes[at]],
            }
            times: dict[str, list[list[float]]] = {name: [] for name in [*arms, "before"]}
            for _ in range(ROUNDS + 1):
                times["before"].append(ask("times", rows.tolist()))
                for arm, run in arms.items():
                    times[arm].append([seconds_of(lambda run=run, at=at: run(at)) for at in range(len(queries))])
            p50 = {arm: float(np.median(np.median(rounds[1:], axis=0))) for arm, rounds in times.items()}
            for arm, seconds in p50.items():
                print(f"  {arm:7} p50 {1e3 * seconds:8.3f} ms")
            print(f"  answer / before {p50['answer'] / p50['before']:.2f}, scan / read {p50['scan'] / p50['read']:.2f}")
            captum(workspace, index, p50["answer"])
            if bulk:
                pairs = [(ask("bulk"), in_own_process(Path(name), path)) for _ in range(3)]
                (seconds, peak), (ours, our_peak) = (np.median(side, axis=0) for side in zip(*pairs, strict=True))
                print(
                    f"  all {len(workspace.queries):,} test sentences: before {seconds:.1f} s, {peak:,.0f} MB at most; "
                    f"now {ours:.1f} s, {our_peak:,.0f} MB at most; ratio {ours / seconds:.2f}"
                )


def in_own_process(folder: Path, path: Path) -> tuple[float, float]:
    """Seconds and peak MB of all test sentences by the segments in a folder, as a build scores them."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(whole_split, (folder, path))


def whole_split(folder: Path, path: Path) -> tuple[float, float]:
    """The same in this process."""
    from influence.attribution import METHODS, StoredQueries, queries_at_once
    from influence.segments import SplitSegments
    from influence.workspace import opened
    from tests.benchmarks.timing import peak_megabytes, seconds_of

    with opened(path) as workspace:
        index, encoding = index_in(folder, workspace), workspace.queries.encoding
        segments = SplitSegments(folder / "test", len(index.learning_rates_C), encoding.offsets_N1)
        queries = StoredQueries("test", segments, encoding, workspace.queries.labels_M)

        def score() -> None:
            for _, batch in queries.in_batches(queries_at_once(len(index.labels_N))):
                index.word_scores_many(batch, METHODS["tracin-we-topk"].selection)

        return seconds_of(score), peak_megabytes()


def captum(workspace, index, seconds: float) -> None:
    """Captum's TracInCP for one query on a few training examples, times what there are of them."""
    import numpy as np
    from captum.influence import TracInCP

    from influence.models import load_classifier
    from tests.benchmarks.peers import Captum
    from tests.benchmarks.timing import seconds_of
    from tests.benchmarks.workload import Split, first

    few, rates = 32, index.learning_rates_C.tolist()
    models = [load_classifier(str(workspace.build / "checkpoints" / str(number))).eval() for number in range(len(rates))]
    train = first(Split(index.encoding, np.asarray(index.labels_N)), few)
    test = first(Split(workspace.queries.encoding, np.asarray(workspace.queries.labels_M)), 1)
    theirs = Captum(TracInCP, models, rates, train=train, queries=test, pad_token=0, batch_size=4)
    theirs()
    each = min(seconds_of(theirs) for _ in range(3)) / few
    whole = each * len(index.labels_N)
    print(f"  Captum, {few} training examples measured: {whole:,.0f} s for all; ratio {whole / seconds:,.0f}")


def _planes(index, query, selection) -> Iterator:
    """What a scan reads, as whole numbers of 8 bytes."""
    asked = index._asked(query, selection)
    for _, postings, words, _ in index._places(asked, selection, index.split.segments):
        arrays = dict(postings.scanned())
        for start, stop in zip(*(ends.tolist() for ends in postings.blocks(words.tokens_U)), strict=True):
            for array in arrays.values():
                flat = array[start:stop].reshape(-1).view("u1")
                yield flat[: len(flat) // 8 * 8].view("i8")


if __name__ == "__main__":
    main()
