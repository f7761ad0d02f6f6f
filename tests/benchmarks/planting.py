"""Wrong labels planted into right ones: on such data the weights of the suspicion were chosen, never on the noise measured."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

KINDS = ("symmetric", "asymmetric", "annotator")
HASTE, TAUGHT = 25, 600  # the annotator reads this many words of a text and has seen this many examples


def plant(data: Path, folder: Path, kind: str, *, rate: float, limit: int, seed: int) -> Path:
    """Write train.csv, with a column true_label, and test.csv, with about `rate` of the training labels wrong.

    Test rows of a label that no training row has any longer are left out, for no build takes them.
    """
    generator = np.random.default_rng([seed, KINDS.index(kind)])
    whole, test = (pd.read_csv(data / f"{split}.csv", dtype=str, keep_default_na=False) for split in ("train", "test"))
    texts = whole.drop(columns="label").agg(" ".join, axis=1).to_numpy(dtype=object)  # of a pair, both
    _, first = np.unique(texts, return_index=True)
    order = generator.permutation(np.sort(first))
    taught, chosen = order[:TAUGHT], order[TAUGHT : TAUGHT + limit]
    names, labels = np.unique(whole["label"].to_numpy(dtype=object), return_inverse=True)
    if kind == "annotator":
        wrong = _annotated(texts, labels, taught, chosen, rate, generator)
    else:
        wrong = _flipped(labels[chosen], len(names), kind, rate, generator)
    folder.mkdir(parents=True, exist_ok=True)
    rows = whole.iloc[chosen].assign(label=names[wrong], true_label=names[labels[chosen]])
    rows.to_csv(folder / "train.csv", index=False)
    test[test["label"].isin(rows["label"])].to_csv(folder / "test.csv", index=False)
    return folder


def _flipped(labels: np.ndarray, count: int, kind: str, rate: float, generator: np.random.Generator) -> np.ndarray:
    """Symmetric: any other label alike. Asymmetric: only to the next label, and from every second label twice as often."""
    steps = generator.integers(1, count, len(labels)) if kind == "symmetric" else np.ones(len(labels), dtype=int)
    weights = np.full(count, 1.0) if kind == "symmetric" else np.where(np.arange(count) % 2, 2.0, 0.5)
    probability = rate * weights[labels] / weights[labels].mean()
    flipped = generator.random(len(labels)) < probability
    return np.where(flipped, (labels + steps) % count, labels)


def _annotated(
    texts: np.ndarray,
    labels: np.ndarray,
    taught: np.ndarray,
    chosen: np.ndarray,
    rate: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Labels drawn from what naive Bayes thinks of a text's first words, as sure of itself as gives the wanted rate."""
    hasty = [" ".join(text.split()[:HASTE]) for text in texts]
    words = CountVectorizer(min_df=2)
    bayes = MultinomialNB(alpha=0.5).fit(words.fit_transform([hasty[at] for at in taught]), labels[taught])
    log = bayes.predict_log_proba(words.transform([hasty[at] for at in chosen]))
    low, high = 0.01, 5.0
    for _ in range(40):
        temperature = (low + high) / 2
        shares = np.exp(log / temperature - (log / temperature).max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        missed = 1 - shares[np.arange(len(chosen)), labels[chosen]].mean()
        low, high = (low, temperature) if missed > rate else (temperature, high)
    return (shares.cumsum(axis=1) < generator.random((len(chosen), 1))).sum(axis=1).clip(max=shares.shape[1] - 1)
