"""Two workspaces beside each other: accuracy, predictions, suspects, and the training examples behind the predictions.

Examples are matched by their texts, so two builds of the same data compare whatever their ids.
"""

from collections.abc import Set
from dataclasses import dataclass

import pandas as pd

from influence.attribution import DEFAULT_METHOD
from influence.experiments import comparison_tables
from influence.suspects import SuspectFilter, has_suspects, suspects
from influence.workspace import WorkspaceReader

TOP = 10  # proponents and opponents of a prediction that are compared
EVERY = 10**9


@dataclass(frozen=True)
class Comparison:
    """What is different in `second`, seen from `first`. Frames have one row an example."""

    shared_tests: int  # test texts that both have
    accuracies: tuple[float, float]  # over these, 0 to 1, each by its own workspace's labels
    changed: pd.DataFrame  # other prediction: id, text, text_pair, label, label_2, predicted, predicted_2, kind
    relabelled_tests: int  # shared test texts with another label
    suspects_came: pd.DataFrame | None  # in doubt in second only, see `_tidy`; None: not computed in both
    suspects_went: pd.DataFrame | None
    overlaps: tuple[float, float]  # mean share of the TOP proponents, opponents of a shared test that second has too

    def count(self, kind: str) -> int:
        """How many predictions are `fixed`, `broken`, or `otherwise wrong`."""
        return int((self.changed["kind"] == kind).sum())


def compare(first: WorkspaceReader, second: WorkspaceReader) -> Comparison:
    """Compare two workspaces. Raises a `WorkspaceError` where one is damaged."""
    one, two = comparison_tables.tests(first.store), comparison_tables.tests(second.store)
    both = one.merge(two[["text_sha256", "label", "predicted", "confidence"]], on="text_sha256", suffixes=("", "_2"))
    right, right_2 = both["predicted"] == both["label"], both["predicted_2"] == both["label_2"]
    both["kind"] = "otherwise wrong"
    both.loc[right & ~right_2, "kind"] = "broken"
    both.loc[~right & right_2, "kind"] = "fixed"
    both.loc[right & right_2, "kind"] = "both right"  # the label is another one, too
    changed = both[both["predicted"] != both["predicted_2"]].reset_index(drop=True)
    came, went = _suspects(first, second)
    return Comparison(
        shared_tests=len(both),
        accuracies=(float(right.mean()), float(right_2.mean())) if len(both) else (0.0, 0.0),
        changed=changed.drop(columns=["text_sha256", "position"]),
        relabelled_tests=int((both["label"] != both["label_2"]).sum()),
        suspects_came=came,
        suspects_went=went,
        overlaps=_overlaps(first, second, set(both["text_sha256"])),
    )


def _suspects(first: WorkspaceReader, second: WorkspaceReader) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    if not (has_suspects(first) and has_suspects(second)):
        return None, None
    one, two = _in_doubt(first), _in_doubt(second)
    came = two[~two["text_sha256"].isin(set(one["text_sha256"]))]
    went = one[~one["text_sha256"].isin(set(two["text_sha256"]))]
    return _tidy(came, first), _tidy(went, second)


def _in_doubt(workspace: WorkspaceReader) -> pd.DataFrame:
    """The training examples for which another label than the given one is suggested, the most suspicious first."""
    _, rows = suspects(workspace, SuspectFilter(changed=True), limit=EVERY)
    hashes = workspace.store.train_frame()[["id", "text_sha256"]].rename(columns={"id": "train_id"})
    return rows.merge(hashes, on="train_id", how="left").drop_duplicates("text_sha256")


def _tidy(rows: pd.DataFrame, other: WorkspaceReader) -> pd.DataFrame:
    """The rows as shown, with the label that the other workspace gives the text; missing where it has it not in training."""
    there = other.store.train_frame().drop_duplicates("text_sha256").set_index("text_sha256")["label"]
    named = rows.assign(id=rows["train_id"], other_label=rows["text_sha256"].map(there))
    return named[["id", "text", "label", "suggested_label", "suspicion", "other_label"]].reset_index(drop=True)


def _overlaps(first: WorkspaceReader, second: WorkspaceReader, shared: Set[str]) -> tuple[float, float]:
    one, two = (comparison_tables.strongest(workspace.store, DEFAULT_METHOD, TOP) for workspace in (first, second))
    one = one[one["test"].isin(shared)]
    kept = one.merge(two, on=["test", "side", "train"], how="left", indicator=True)
    kept["there"] = kept["_merge"] == "both"
    means = kept.groupby(["side", "test"])["there"].mean().groupby("side").mean()
    return float(means.get(1, 0.0)), float(means.get(-1, 0.0))
