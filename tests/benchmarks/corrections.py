"""Test accuracy before and after the top suspects are corrected, along the whole way: decide, export, apply, build.

python tests/benchmarks/corrections.py --data DIR --workspace DIR [--top N ...] [--seeds N]

DIR of the data holds train.csv (text, label, true_label) and test.csv (text, label); the workspace was built from them by
tests/benchmarks/label_errors.py, with its suspects. It stays as it is. Two corrections: the labels that Wordtrace suggests,
taken blindly, and the true ones, as a reviewer without fault would give them.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)


def main() -> None:
    """Read the options, build before and after, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--top", type=int, nargs="+", default=[500, 2_000], help="suspects corrected (default 500 2000)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each data set (default 3)")
    options = parser.parse_args()

    import pandas as pd

    truth = pd.read_csv(options.data / "train.csv", dtype=str, keep_default_na=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = _copy(options.workspace, folder / "workspace")
        before = _accuracies(options.data / "train.csv", options.data, folder, options.seeds)
        _print("as it is", 0, (truth["label"] == truth["true_label"]).mean(), before, before)
        for top in options.top:
            for which in ("suggested", "true"):
                fixed = folder / f"{which}-{top}.csv"
                changed = _correct(workspace, options.data / "train.csv", fixed, truth, top, which)
                labels = pd.read_csv(fixed, dtype=str, keep_default_na=False)["label"]
                after = _accuracies(fixed, options.data, folder, options.seeds)
                _print(f"top {top:,}: {which} labels", changed, (labels == truth["true_label"]).mean(), before, after)


def _copy(workspace: Path, copy: Path) -> Path:
    """The same builds with no decisions yet, so that ours are not left in the user's log."""
    copy.mkdir()
    shutil.copy(workspace / "workspace.json", copy)
    (copy / "builds").symlink_to((workspace / "builds").resolve())
    return copy


def _correct(workspace: Path, train: Path, fixed: Path, truth, top: int, which: str) -> int:
    """Relabel the top suspects as one bulk decision, export and apply it, and undo it; the number of changed labels."""
    from influence.data.edits import Edit
    from influence.review.bulk import decide_bulk
    from influence.review.events import Reviewer
    from influence.review.reviews import open_reviews
    from influence.suspects.ranking import suspects
    from influence.workspace.workspace import read_workspace

    opened = read_workspace(workspace)
    rows = suspects(opened, limit=top)[1]
    true = dict(zip(opened.train_ids(), truth["true_label"], strict=True))
    wanted = {row.train_id: row.suggested_label if which == "suggested" else true[row.train_id] for row in rows.itertuples()}
    labels = {row.train_id: wanted[row.train_id] for row in rows.itertuples() if wanted[row.train_id] != row.label}
    reviews, reviewer = open_reviews(opened), Reviewer(name="benchmark")
    decide_bulk(reviews, reviewer, {id: Edit("relabel", label) for id, label in labels.items()})
    fixes = fixed.with_suffix(".fixes.csv")
    _run("export", "--workspace", workspace, "--output", fixes)
    _run("apply", "--fixes", fixes, "--train", train, "--output", fixed)
    reviews.undo(reviewer)
    return len(labels)


def _accuracies(train: Path, data: Path, folder: Path, seeds: int) -> list[float]:
    found = []
    for seed in range(seeds):
        built = folder / "built"
        files = ("--train", train, "--test", data / "test.csv", "--workspace", built)
        _run("build", *files, "--model", "cnn", "--seed", seed, "--index", "top-k")
        found.append(json.loads((built / "workspace.json").read_text())["info"]["checkpoints"][-1]["test_accuracy"])
        shutil.rmtree(built)
    return found


def _run(*arguments: object) -> None:
    command = [sys.executable, "-m", "influence", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")


def _print(name: str, changed: int, right: float, before: list[float], after: list[float]) -> None:
    gains = [b - a for a, b in zip(before, after, strict=True)]
    each = " ".join(f"{value:.4f}" for value in after)
    line = f"{name:28} {changed:6,} labels changed, {right:6.2%} right; test accuracy {statistics.mean(after):.4f} ({each})"
    print(line + (f", {statistics.mean(gains):+.4f} ({min(gains):+.4f} to {max(gains):+.4f})" if after is not before else ""))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
