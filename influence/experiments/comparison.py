"""Two workspaces beside each other: accuracy, predictions, suspects, and the training examples behind the predictions.

Examples are matched by their texts, so two builds of the same data compare whatever their ids. What only one of the two has
is left out, and counted.
"""

import math
from collections.abc import Set
from dataclasses import dataclass

import pandas as pd

from influence.attribution import DEFAULT_METHOD
from influence.experiments import comparison_tables
from influence.suspects import SuspectFilter, has_suspects, suspects
from influence.workspace import WorkspaceReader

TOP = 10  # proponents and opponents of a prediction that are compared
EVERY = 10**9
LIKELY = 0.05  # a split that is as likely as this by chance, or likelier, tells nothing


@dataclass(frozen=True)
class Comparison:
    """What is different in `second`, seen from `first`. Frames have one row an example that both have."""

    shared_tests: int  # test examples that both have
    left_out_tests: tuple[int, int]  # that only the first, only the second has
    accuracies: tuple[float, float]  # over these, 0 to 1, each by its own workspace's labels
    changed: pd.DataFrame  # other prediction: id, text, text_pair, label, label_2, predicted, predicted_2, kind
    relabelled_tests: int  # shared test texts with another label
    suspects_came: pd.DataFrame | None  # in doubt in second only, see `_tidy`; None: not computed in both
    suspects_went: pd.DataFrame | None
    left_out_suspects: tuple[int, int]  # in doubt, but in the training data of the first, of the second alone
    overlaps: tuple[float, float]  # mean share of the TOP proponents, opponents of a shared test that second has too

    def count(self, kind: str) -> int:
        """How many predictions are `fixed`, `broken`, or `otherwise wrong`."""
        return int((self.changed["kind"] == kind).sum())

    @property
    def wrong(self) -> tuple[int, int]:
        """How many of the shared test examples each of the two gets wrong."""
        return tuple(round((1 - share) * self.shared_tests) for share in self.accuracies)  # type: ignore[return-value]

    @property
    def chance(self) -> float:
        """How likely as uneven a split between fixed and broken is, were either as likely: the exact sign (McNemar) test, 0 to 1.

        It says whether these two models differ on such texts, not whether another seed would say the same.
        """
        fixed, broken = self.count("fixed"), self.count("broken")
        total, fewer = fixed + broken, min(fixed, broken)
        return float(min(1.0, 2 * sum(math.comb(total, count) for count in range(fewer + 1)) / 2**total))

    @property
    def sentence(self) -> str:
        """What the predictions that became right or wrong come to, for people."""
        fixed, broken = self.count("fixed"), self.count("broken")
        if not self.shared_tests:
            return "The two have no test text in common."
        if not fixed + broken:
            return "Every test text is as right or wrong as before."
        counts = f"{fixed:,} became right and {broken:,} became wrong"
        if self.chance >= LIKELY:
            return f"{counts}: so few, or so even, that it may be chance."
        once = "Each model was trained once; a try in Proof tells whether other seeds say the same."
        return f"{counts}: more uneven than chance explains. {once}"


def compare(first: WorkspaceReader, second: WorkspaceReader, *, tests_only: bool = False) -> Comparison:
    """Compare two workspaces; with `tests_only`, which is quick, not their suspects and influences.

    Raises a `WorkspaceError` where one is damaged.
    """
    one, two = comparison_tables.tests(first.store), comparison_tables.tests(second.store)
    theirs = two[["text_sha256", "occurrence", "label", "predicted", "confidence"]]
    both = one.merge(theirs, on=["text_sha256", "occurrence"], suffixes=("", "_2"))
    right, right_2 = both["predicted"] == both["label"], both["predicted_2"] == both["label_2"]
    both["kind"] = "otherwise wrong"
    both.loc[right & ~right_2, "kind"] = "broken"
    both.loc[~right & right_2, "kind"] = "fixed"
    both.loc[right & right_2, "kind"] = "both right"  # the label is another one, too
    changed = both[both["predicted"] != both["predicted_2"]].reset_index(drop=True)
    came, went, left_out = (None, None, (0, 0)) if tests_only else _suspects(first, second)
    return Comparison(
        shared_tests=len(both),
        left_out_tests=(len(one) - len(both), len(two) - len(both)),
        accuracies=(float(right.mean()), float(right_2.mean())) if len(both) else (0.0, 0.0),
        changed=changed.drop(columns=["text_sha256", "occurrence", "position"]),
        relabelled_tests=int((both["label"] != both["label_2"]).sum()),
        suspects_came=came,
        suspects_went=went,
        left_out_suspects=left_out,
        overlaps=(0.0, 0.0) if tests_only else _overlaps(first, second, set(both["text_sha256"])),
    )


def _suspects(
    first: WorkspaceReader, second: WorkspaceReader
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, tuple[int, int]]:
    """Those that came, those that went, and how many are left out of either as the other's training data lacks them."""
    if not (has_suspects(first) and has_suspects(second)):
        return None, None, (0, 0)
    one, two = _in_doubt(first), _in_doubt(second)
    came = two[~two["text_sha256"].isin(set(one["text_sha256"]))]
    went = one[~one["text_sha256"].isin(set(two["text_sha256"]))]
    tidy_came, tidy_went = _tidy(came, first), _tidy(went, second)
    return tidy_came, tidy_went, (len(went) - len(tidy_went), len(came) - len(tidy_came))


def _in_doubt(workspace: WorkspaceReader) -> pd.DataFrame:
    """The training examples for which another label than the given one is suggested, the most suspicious first."""
    _, rows = suspects(workspace, SuspectFilter(changed=True), limit=EVERY)
    hashes = workspace.store.train_frame()[["id", "text_sha256"]].rename(columns={"id": "train_id"})
    return rows.merge(hashes, on="train_id", how="left").drop_duplicates("text_sha256")


def _tidy(rows: pd.DataFrame, other: WorkspaceReader) -> pd.DataFrame:
    """The rows as shown that the other workspace trains on, too, with the label that it gives the text."""
    there = other.store.train_frame().drop_duplicates("text_sha256").set_index("text_sha256")["label"]
    named = rows.assign(id=rows["train_id"], other_label=rows["text_sha256"].map(there))
    named = named[named["other_label"].notna()]
    return named[["id", "text", "label", "suggested_label", "suspicion", "other_label"]].reset_index(drop=True)


def _overlaps(first: WorkspaceReader, second: WorkspaceReader, shared: Set[str]) -> tuple[float, float]:
    one, two = (comparison_tables.strongest(workspace.store, DEFAULT_METHOD, TOP) for workspace in (first, second))
    one = one[one["test"].isin(shared)]
    kept = one.merge(two, on=["test", "side", "train"], how="left", indicator=True)
    kept["there"] = kept["_merge"] == "both"
    means = kept.groupby(["side", "test"])["there"].mean().groupby("side").mean()
    return float(means.get(1, 0.0)), float(means.get(-1, 0.0))
