"""How many labels are suspected: of a data file by its words alone, of a workspace by its ranking.

Axes: N examples, Y labels.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from influence import opinions, suspects
from influence.data import Examples, label_key, picked, text_sha256
from influence.errors import DataError
from influence.fixes import Fix
from influence.gate.measured import SHOWN, Measured, plain, rows_named
from influence.review import Decision, has_reviews, read_reviews, resolve
from influence.suspects import SuspectFilter
from influence.types import BoolArray, Progress
from influence.workspace import read_workspace

EVERY = 10**9


def in_data(found: Examples, threshold: float, fixes: Sequence[Fix], progress: Progress) -> Measured:
    """The usable rows whose label is suspected more than `threshold`, 0 to 1, by opinions that go by words alone.

    They need no model and no build, and know less than those of a workspace. Rows that have the text and the label which
    somebody has decided on are left out. Raises `DataError` where no text has words.
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
    settled_N = _settled(found, fixes)
    suspicion_N[settled_N] = 0.0
    above = int((suspicion_N > threshold).sum())
    shown = [plain(name) for name in names.values()]
    first = []
    for at in np.argsort(-suspicion_N, kind="stable")[: min(SHOWN, above)].tolist():
        [row] = rows_named(found.numbers([found.usable[at]]))
        first.append(f"{row} ({shown[labels_N[at]]} → {shown[said_NY[at].argmax()]})")
    what = f"have a label that is suspected more than {threshold:g}, going by words alone{_left_out(int(settled_N.sum()))}"
    return Measured(above, len(texts), "rows", what, first, _ADVICE)


def in_workspace(path: str, threshold: float) -> Measured:
    """The training examples that its ranking suspects more than `threshold`, those left out that reviewers have decided."""
    workspace = read_workspace(Path(path))
    decided: list[str] = []
    if has_reviews(workspace.path):
        reviews = read_reviews(workspace)
        try:
            made = (one.decision for one in resolve(reviews.decisions()))
            decided = [one.example_id for one in made if one is not None and _is_about(one, reviews.corpus[one.example_id].label)]
        finally:
            reviews.close()
    _, rows = suspects.suspects(workspace, SuspectFilter(without=decided), limit=EVERY)
    above = rows[rows["suspicion"] > threshold]
    first = [
        f"{plain(row['train_id'])} ({plain(row['label'])} → {plain(row['suggested_label'])})"
        for row in above.head(SHOWN).to_dict("records")
    ]
    what = f"have a label that is suspected more than {threshold:g}, and nobody has decided{_left_out(len(decided))}"
    return Measured(len(above), workspace.info.n_train, "training examples", what, first, _ADVICE)


def _is_about(decision: Decision, label: str) -> bool:
    """Whether it was made about the label that the data has, or gave it; else nobody has looked at that one."""
    return label in (decision.old_label, decision.new_label)


def _settled(found: Examples, fixes: Sequence[Fix]) -> BoolArray:
    """Which usable rows have the text and the label that a fix wants: kept, masked, or relabelled by now."""
    labels = {fix: fix.new_label if fix.action == "relabel" else fix.old_label for fix in fixes if fix.action != "remove"}
    wanted = {(fix.text_sha256, label_key(label)) for fix, label in labels.items() if label is not None}
    if not wanted:
        return np.zeros(len(found.usable), dtype=np.bool_)
    folded = {label: label_key(label) for label in set(picked(found.labels, found.usable))}
    pairs = found.pairs if found.pairs is not None else [None] * len(found)
    keys = ((text_sha256(found.texts[row], pairs[row]), folded[found.labels[row]]) for row in found.usable)
    return np.fromiter((key in wanted for key in keys), dtype=np.bool_, count=len(found.usable))


def _left_out(decided: int) -> str:
    return f" ({decided:,} decided ones left out)" if decided else ""


_ADVICE = "Look at them in Review: what is decided counts no more, in the workspace and with its fix list (--fixes)."
