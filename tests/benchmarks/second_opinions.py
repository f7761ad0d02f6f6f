"""A second model's opinions of the labels of noisy_ag_news, as files, and what each adds to the ranking of suspects.

Axes: N training examples, Y labels.
"""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tests.benchmarks.label_rankings import HIGH, LOW, RESAMPLES, _run
from tests.benchmarks.label_sets import TRUTH

ENDS = 60  # letters and digits at either end of a text by which rows of two files are taken for the same
FEW, EACH = 300, 40


def measure(folder: Path, data: Path, path: Path, seed: int, model: str | None) -> None:
    """Build the workspace, rank it with every file of opinions alone, and print what each adds."""
    given = ["--model", model] if model else []
    files = ["--train", str(data / "train.csv"), "--test", str(data / "test.csv")]
    _run("build", *files, *given, "--workspace", str(path), "--resume")
    shutil.rmtree(path / "opinions", ignore_errors=True)
    train = pd.read_csv(data / "train.csv", dtype=str, keep_default_na=False)
    wrong_N = (train["label"] != train[TRUTH]).to_numpy()
    names = sorted(set(train["label"]))
    started = time.process_time()
    same_NY, elsewhere_NY = same_data(train, names), elsewhere(folder, train, names)
    print(f"{len(train):,} rows, {wrong_N.mean():.1%} wrong; both SVMs: {time.process_time() - started:.0f} CPU seconds")
    for name, said_NY in (("same data", same_NY), ("elsewhere", elsewhere_NY)):
        said = np.array(names)[said_NY.argmax(axis=1)]
        print(f"{name}: the given label {np.mean(said == train['label']):.1%}, the true one {np.mean(said == train[TRUTH]):.1%}")
    few = np.random.default_rng(seed).choice(len(train), FEW, replace=False)
    none = ranked(path, data, None)
    order = np.argsort(-none)
    bare = rows_of(elsewhere_NY, names, bare=True)
    opinions = {
        "same data, probabilities": rows_of(same_NY, names),
        "elsewhere, probabilities": rows_of(elsewhere_NY, names),
        "elsewhere, labels": bare,
        f"elsewhere, labels of {FEW}": [bare[at] for at in sorted(few)],
        f"elsewhere, of the first {FEW}": [bare[at] for at in order[:FEW]],
        f"elsewhere, of these and every {EACH}th": [bare[at] for at in [*order[:FEW], *order[FEW::EACH]]],
        "both, probabilities": [*rows_of(same_NY, names, "a"), *rows_of(elsewhere_NY, names, "b")],
    }
    suspicions = {"none": none, **{name: ranked(path, data, rows) for name, rows in opinions.items()}}
    report(suspicions, wrong_N)
    for title, asked, word in (("300 at random", few, "labels of"), ("the first 300", order[:FEW], "of the")):
        print(f"on {title} alone:")
        report({name: v[asked] for name, v in suspicions.items() if name == "none" or word in name}, wrong_N[asked])


def rows_of(said_NY: np.ndarray, names: list[str], name: str = "svm", *, bare: bool = False) -> list[dict[str, object]]:
    """The rows of a file of opinions."""
    if bare:
        return [{"example_id": str(at), "name": name, "label": names[one]} for at, one in enumerate(said_NY.argmax(axis=1))]
    return [
        {"example_id": str(at), "name": name, **{f"p_{label}": round(float(p), 4) for label, p in zip(names, row, strict=True)}}
        for at, row in enumerate(said_NY)
    ]


def ranked(path: Path, data: Path, rows: list[dict[str, object]] | None) -> np.ndarray:
    """The suspicion of every example with these opinions and no others, by the command."""
    shutil.rmtree(path / "opinions", ignore_errors=True)
    given = []
    if rows is not None:
        (data / "opinions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        given = ["--opinions", str(data / "opinions.jsonl")]
    answer = json.loads(_run("suspects", "--workspace", str(path), "--top", "1000000", "--json", *given)[1])
    weights = ", ".join(f"{one['name']} {one['weight']:.2f}" for one in answer["opinions"])
    print(f"  weights: {weights}", flush=True)
    found = pd.DataFrame(answer["suspects"])
    return found.set_index(found["train_id"].astype(int)).sort_index()["suspicion"].to_numpy()


def _svm() -> Any:
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    return make_pipeline(tfidf, CalibratedClassifierCV(LinearSVC(C=0.3), cv=3))


def same_data(train: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Probabilities out of fold by a model that learns the labels in doubt."""
    said_NY = np.zeros((len(train), len(names)))
    for seen, left in StratifiedKFold(5, shuffle=True, random_state=0).split(train, train["label"]):
        said_NY[left] = _svm().fit(train["text"].iloc[seen], train["label"].iloc[seen]).predict_proba(train["text"].iloc[left])
    return said_NY


def elsewhere(folder: Path, train: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Probabilities by a model that was trained on rows of AG News none of which is in noisy_ag_news."""
    other = pd.read_csv(folder / "ag_news" / "train.csv", dtype=str, keep_default_na=False)
    noisy = pd.read_csv(folder / "noisy_ag_news" / "train.csv", dtype=str, keep_default_na=False)
    known = {end for text in noisy["text"] for end in ends(text)}
    kept = other[[not known & set(ends(text)) for text in other["text"]]]
    print(f"elsewhere: {len(kept):,} of {len(other):,} rows of ag_news are not in noisy_ag_news")
    fitted = _svm().fit(kept["text"], kept["label"])
    assert list(fitted.classes_) == names
    return fitted.predict_proba(train["text"])


def ends(text: str) -> tuple[str, str]:
    """Both ends of a text without what is no letter or digit: files differ in titles and in how signs are written."""
    plain = re.sub(r"&[a-z]+;|quot;|#\d+;|[^a-z0-9]", "", text.lower())
    return f"^{plain[:ENDS]}", f"{plain[-ENDS:]}$"


def report(suspicions: dict[str, np.ndarray], wrong_N: np.ndarray) -> None:
    """Average precision of each ranking, and of what it is above the one without opinions from files."""
    generator = np.random.default_rng(0)
    samples = [generator.integers(len(wrong_N), size=len(wrong_N)) for _ in range(RESAMPLES)]
    drawn = {name: np.array([average_precision_score(wrong_N[s], v[s]) for s in samples]) for name, v in suspicions.items()}
    print(f"{'opinions from files':34} {'AP':>6}  95 % interval    difference  95 % interval")
    for name, values in suspicions.items():
        found = average_precision_score(wrong_N, values)
        low, high = np.percentile(drawn[name], [LOW, HIGH])
        more_low, more_high = np.percentile(drawn[name] - drawn["none"], [LOW, HIGH])
        more = found - average_precision_score(wrong_N, suspicions["none"])
        print(f"{name:34} {found:6.4f}  {low:.4f}-{high:.4f}   {more:+.4f}     {more_low:+.4f} to {more_high:+.4f}", flush=True)
