"""Rankings of training examples against the truth about their labels, with bootstrap intervals.

Axes: N training examples, Y labels.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_scores
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, StratifiedKFold

from influence.opinions.average import balanced, suspicion, test_split_balance
from influence.opinions.gathering import gather
from influence.opinions.material import Material
from influence.opinions.opinion import Taught, shares
from influence.suspects.compute import usual_settings
from influence.types import silent
from influence.workspace.workspace import WorkspaceReader, read_workspace
from tests.benchmarks.label_sets import TRUTH

DEPTHS = (50, 100, 500)
RESAMPLES = 500
LOW, HIGH = 2.5, 97.5  # percentiles of the bootstrap
FOLDS, NEAREST = 5, 30  # of what cleanlab is given


def compare(data: Path, path: Path, *, model: str | None, epochs: int | None) -> None:
    """Build and rank by the command line, and print every ranking."""
    pairs = ["--text", "premise", "--text-pair", "hypothesis"] if "premise" in _header(data) else []
    given = [*(["--model", model] if model else []), *(["--epochs", str(epochs)] if epochs else [])]
    files = ["--train", str(data / "train.csv"), "--test", str(data / "test.csv")]
    built = _run("build", *files, *pairs, *given, "--workspace", str(path), "--resume")
    ranked = _run("suspects", "--workspace", str(path), "--top", "1000000", "--json")
    workspace = read_workspace(path)
    answer = json.loads(ranked[1])
    found = pd.DataFrame(answer["suspects"]).set_index("train_id").loc[workspace.train_ids()].reset_index()
    truth = pd.read_csv(data / "train.csv", dtype=str, keep_default_na=False)
    known_N = (truth[TRUTH] != "").to_numpy()
    wrong_N = (truth["label"] != truth[TRUTH]).to_numpy()
    print(f"{len(truth):,} rows, {known_N.sum():,} with a truth, {wrong_N[known_N].mean():.1%} of them wrong")
    print(f"model {Path(workspace.info.model).name}, test accuracy {workspace.info.accuracy:.1%}, tf-idf {answer['baseline']}")
    print(f"CPU seconds: build with its ranking {built[0]:.0f}, ranking again {ranked[0]:.0f}")
    rankings = {"Wordtrace": found["suspicion"].to_numpy()}
    opinions, cpu = _alone(workspace)
    print(f"opinions, everything but the embeddings made anew: {cpu:.1f} CPU seconds")
    cleanlab = dict(cleanlab_rankings(workspace))
    chance = {"random": np.random.default_rng(0).random(len(truth))}
    _print_table({**rankings, **opinions, **cleanlab, **chance}, wrong_N, known_N)
    _print_ratios(rankings["Wordtrace"], cleanlab, wrong_N, known_N)
    _print_suggestions(found, truth, known_N)


def _header(data: Path) -> list[str]:
    return list(pd.read_csv(data / "train.csv", nrows=0).columns)


def _run(*arguments: str) -> tuple[float, str]:
    """CPU seconds of a command, its children's included, and what it printed."""
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "influence", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, done.stdout


def _alone(workspace: WorkspaceReader) -> tuple[dict[str, np.ndarray], float]:
    started = time.process_time()
    material = Material(workspace, usual_settings(workspace), "cpu", silent)
    labels_N = material.labels("train")
    gathered = gather(material, Taught.as_given(labels_N))
    cpu = time.process_time() - started
    return {f"only {o.name}": suspicion(o.probabilities_NY, labels_N) for o in gathered.opinions}, cpu


def cleanlab_rankings(workspace: WorkspaceReader) -> Iterator[tuple[str, np.ndarray]]:
    """Every ranking of cleanlab on every kind of probabilities."""
    material = Material(workspace, usual_settings(workspace), "cpu", silent)
    labels_N = material.labels("train")
    balance_Y = test_split_balance(material.labels("test"), material.n_labels)
    for name, raw_NY in _probabilities(material, labels_N):
        once_NY = raw_NY * balance_Y / raw_NY.mean(axis=0)
        once_NY /= once_NY.sum(axis=1, keepdims=True)
        for scaled, said_NY in (("", raw_NY), (", balanced once", once_NY), (", balanced", balanced(raw_NY, balance_Y))):
            for method in ("self_confidence", "normalized_margin"):
                for adjust in (False, True):
                    scores_N = get_label_quality_scores(labels_N, said_NY, method=method, adjust_pred_probs=adjust)
                    yield f"cleanlab {method}{', adjusted' if adjust else ''}: {name}{scaled}", -scores_N


def _probabilities(material: Material, labels_N: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Out-of-sample probabilities of scikit-learn's models, made here and not by our own opinions."""
    fewest = np.bincount(labels_N)[np.unique(labels_N)].min()
    splitter = (StratifiedKFold if fewest >= FOLDS else KFold)(FOLDS, shuffle=True, random_state=0)
    folds = list(splitter.split(np.zeros(len(labels_N)), labels_N))

    def crossed(features: object, strength: float) -> np.ndarray:
        said_NY = np.zeros((len(labels_N), material.n_labels))
        for seen, left in folds:
            fitted = LogisticRegression(C=strength, max_iter=300).fit(features[seen], labels_N[seen])
            said_NY[left[:, None], fitted.classes_[None]] = fitted.predict_proba(features[left])
        return shares(said_NY)

    texts = [" ".join(filter(None, sides)) for sides in material.workspace.store.texts("train")]
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(texts)
    yield "tf-idf, logistic regression", crossed(tfidf, 10.0)
    if material.embedded is None:
        return
    embedded = material.embedded["train"]
    yield "embeddings, logistic regression", crossed(embedded, 1.0)
    similar_NN = embedded @ embedded.T
    np.fill_diagonal(similar_NN, -np.inf)
    near_NK = np.argpartition(-similar_NN, NEAREST, axis=1)[:, :NEAREST]
    yield "embeddings, neighbours", shares(np.eye(material.n_labels)[labels_N[near_NK]].mean(axis=1))


def _print_table(scores: dict[str, np.ndarray], wrong_N: np.ndarray, known_N: np.ndarray) -> None:
    wrong = wrong_N[known_N]
    generator = np.random.default_rng(0)
    samples = [generator.integers(len(wrong), size=len(wrong)) for _ in range(RESAMPLES)]
    best = sorted((name for name in scores if name.startswith("cleanlab")), key=lambda n: -_ap(wrong, scores[n][known_N]))[:3]
    print(f"\n{'ranking':88} {'AP':>6}  95 % interval    " + "  ".join(f"P@{depth:<5,}" for depth in DEPTHS))
    for name, values in scores.items():
        if name.startswith("cleanlab") and name not in best:
            continue
        values = values[known_N]
        low, high = np.percentile([_ap(wrong[s], values[s]) for s in samples], [LOW, HIGH])
        order = np.argsort(-values, kind="stable")
        precisions = "  ".join(f"{wrong[order[:depth]].mean():7.3f}" for depth in DEPTHS)
        print(f"{name:88} {_ap(wrong, values):6.4f}  {low:.4f}-{high:.4f}  {precisions}")


def _print_ratios(ours_N: np.ndarray, cleanlab: dict[str, np.ndarray], wrong_N: np.ndarray, known_N: np.ndarray) -> None:
    """Ours by the best of cleanlab without the balance, with it given once, and with it given exactly."""
    wrong, ours = wrong_N[known_N], ours_N[known_N]
    for given, belongs in (
        ("not knowing the balance", lambda n: "balanced" not in n),
        ("balance given by one factor a label", lambda n: n.endswith("balanced once")),
        ("balance given exactly", lambda n: n.endswith(", balanced")),
    ):
        best = max((n for n in cleanlab if belongs(n)), key=lambda n: _ap(wrong, cleanlab[n][known_N]))
        theirs = cleanlab[best][known_N]
        generator = np.random.default_rng(1)
        samples = [generator.integers(len(wrong), size=len(wrong)) for _ in range(RESAMPLES)]
        low, high = np.percentile([_ap(wrong[s], ours[s]) / _ap(wrong[s], theirs[s]) for s in samples], [LOW, HIGH])
        print(
            f"Wordtrace / best of cleanlab, {given}: {_ap(wrong, ours) / _ap(wrong, theirs):.3f} ({low:.3f} to {high:.3f}) {best}"
        )


def _ap(wrong: np.ndarray, scores: np.ndarray) -> float:
    return float(average_precision_score(wrong, scores))


def _print_suggestions(found: pd.DataFrame, truth: pd.DataFrame, known_N: np.ndarray) -> None:
    rows = found.assign(truth=truth[TRUTH].to_numpy(), given=truth["label"].to_numpy())[known_N].sort_values(
        "suspicion", ascending=False, kind="stable"
    )
    for depth in DEPTHS:
        top = rows.head(depth)
        wrong = top[top["given"] != top["truth"]]
        right, changed = (wrong["suggested_label"] == wrong["truth"]).mean(), (top["suggested_label"] != top["given"]).mean()
        print(f"top {depth}: {len(wrong)} wrong, the suggestion right for {right:.1%} of them; {changed:.1%} get another label")
