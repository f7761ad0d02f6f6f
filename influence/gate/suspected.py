"""How many labels are suspected: of a data file by its words alone, of a workspace by its ranking.

Axes: N examples, Y labels.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from influence import opinions, suspects
from influence.data import Examples, label_key, picked
from influence.errors import DataError
from influence.gate.measured import SHOWN, Measured, plain, rows_named
from influence.review import has_reviews, read_reviews, resolve
from influence.suspects import SuspectFilter
from influence.types import Progress
from influence.workspace import read_workspace

EVERY = 10**9


def in_data(found: Examples, threshold: float, progress: Progress) -> Measured:
    """The usable rows whose label is suspected more than `threshold`, 0 to 1, by opinions that go by words alone.

    They need no model and no build, and know less than those of a workspace. Raises `DataError` where no text has words.
    """
    texts = list(picked(found.joined, found.usable))
    labels = list(picked(found.labels, found.usable))
    counts = Counter(labels).most_common()
    names = {label_key(label): label for label, _ in reversed(counts)}  # of those that look alike the most frequent
    place = {key: number for number, key in enumerate(names)}
    number = {label: place[label_key(label)] for label, _ in counts}
    labels_N = np.array([number[label] for label in labels], dtype=np.int64)
    if len(names) < 2:
        raise DataError(f"{found.table.source!r}: suspects need two labels or more; it has {len(names)}")
    said_NY = opinions.said_by_words(texts, labels_N, len(names), progress)
    if said_NY is None:
        raise DataError(f"{found.table.source!r}: suspects need texts with words; it has none")
    suspicion_N = opinions.suspicion(said_NY, labels_N)
    above = int((suspicion_N > threshold).sum())
    shown = [plain(name) for name in names.values()]
    first = []
    for at in np.argsort(-suspicion_N, kind="stable")[: min(SHOWN, above)].tolist():
        [row] = rows_named(found.numbers([found.usable[at]]))
        first.append(f"{row} ({shown[labels_N[at]]} → {shown[said_NY[at].argmax()]})")
    what = f"have a label that is suspected more than {threshold:g}, going by words alone"
    return Measured(above, len(texts), "rows", what, first, _ADVICE)


def in_workspace(path: str, threshold: float) -> Measured:
    """The training examples that its ranking suspects more than `threshold`, those left out that reviewers have decided."""
    workspace = read_workspace(Path(path))
    decided: list[str] = []
    if has_reviews(workspace.path):
        reviews = read_reviews(workspace)
        try:
            decided = [one.example_id for one in resolve(reviews.decisions()) if one.decision is not None]
        finally:
            reviews.close()
    _, rows = suspects.suspects(workspace, SuspectFilter(without=decided), limit=EVERY)
    above = rows[rows["suspicion"] > threshold]
    first = [
        f"{plain(row['train_id'])} ({plain(row['label'])} → {plain(row['suggested_label'])})"
        for row in above.head(SHOWN).to_dict("records")
    ]
    left_out = f" ({len(decided):,} decided ones left out)" if decided else ""
    what = f"have a label that is suspected more than {threshold:g}, and nobody has decided{left_out}"
    return Measured(len(above), workspace.info.n_train, "training examples", what, first, _ADVICE)


_ADVICE = "Look at them in Review: what is decided counts no more in the workspace (--workspace)."
