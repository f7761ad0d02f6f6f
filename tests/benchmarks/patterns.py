"""The patterns of the paper's table 5 among the clusters of a workspace."""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from influence.cli.progress import ProgressLine, duration
from influence.clusters.compute import write_clusters
from influence.clusters.cuts import Cluster, cluster_map, cluster_members, clusters, clusters_provenance
from influence.data.dataset import Columns
from influence.errors import WorkspaceMissing
from influence.opinions.settings import HeldOutSettings, OpinionSettings
from influence.suspects.compute import write_suspects
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.workspace import WorkspaceReader, read_workspace

PATTERNS = {  # as the paper describes them: how to tell a text that belongs
    "Red Sox and Yankees, AL championship series": r"(?=.*(championship series|ALCS))(?=.*(red sox|yankees))",
    "fourth priority's main focus": r"fourth priority",
    "Oracle's takeover of PeopleSoft": r"(?=.*oracle)(?=.*peoplesoft)",
    "Ryder Cup": r"ryder cup",
}
MIN_SIZE = 3
SHOWN_TEXTS, SHOWN_CLUSTERS, WIDTH = 3, 15, 150
OTHER_THRESHOLDS = (0.6, 0.7, 0.9)
PAPERS = 31  # clusters of at least 3 that the paper found


def print_clusters(data: Path, path: Path, models: int, threshold: float) -> None:
    """Compute what is missing and print the clusters, those of table 5 first."""
    with ProgressLine(sys.stderr) as progress:
        try:
            read_workspace(path).close()
        except WorkspaceMissing:
            request = BuildRequest(
                train=str(data / "train.csv"), test=str(data / "test.csv"), columns=Columns(), training=training_settings("cnn")
            )
            build_workspace(path, request, resume=True, progress=progress)
        started = time.monotonic()
        write_suspects(path, OpinionSettings(held_out=HeldOutSettings(models=models)), progress=progress)
        suspected = time.monotonic()
        write_clusters(path, progress=progress)
        clustered = time.monotonic()
    workspace = read_workspace(path)
    made = clusters_provenance(workspace)
    share = made["settings"]["difficult"]
    print(f"{workspace.info.n_train:,} training examples, {models} held-out models, test accuracy {workspace.info.accuracy:.1%}")
    print(f"{made['difficult']:,} labels contradicted by {share:.0%} or more of the opinions; {made['clustered']:,} clustered")
    print(f"suspects {duration(suspected - started)}, clusters {duration(clustered - suspected)} (0 s: they were there)")
    started = time.monotonic()
    found = clusters(workspace, threshold=threshold, min_size=MIN_SIZE)
    cutting = (time.monotonic() - started) * 1e3
    others = ", ".join(f"{len(clusters(workspace, threshold=t, min_size=MIN_SIZE)):,} at {t}" for t in OTHER_THRESHOLDS)
    print(f"{len(found):,} clusters of {MIN_SIZE} or more at {threshold}, cut in {cutting:.0f} ms; {others}; the paper: {PAPERS}")
    difficult = cluster_map(workspace, threshold=threshold, min_size=MIN_SIZE).set_index("train_id")
    for name, pattern in PATTERNS.items():
        _print_pattern(workspace, name, re.compile(pattern, re.IGNORECASE | re.DOTALL), found, difficult)
    print(f"\nthe first {SHOWN_CLUSTERS}, by expected wrong labels:")
    for one in found[:SHOWN_CLUSTERS]:
        print(f"   {_described(one)}")


def _print_pattern(
    workspace: WorkspaceReader, name: str, pattern: re.Pattern[str], found: Sequence[Cluster], difficult: pd.DataFrame
) -> None:
    texts = workspace.store.rows("select text from examples where split = 'train'")
    total = sum(bool(pattern.match(text) or pattern.search(text)) for (text,) in texts)
    belongs = difficult["text"].map(lambda text: bool(pattern.search(text)))
    print(f"\n{name}: {total:,} training texts, {belongs.sum():,} of them difficult")
    holding = [(int(belongs.loc[one.train_ids].sum()), one) for one in found]
    holding = sorted(((count, one) for count, one in holding if count >= 2), key=lambda item: (-item[0], item[1].height))
    if not holding:
        print("   not found: no cluster holds two of them")
        return
    for count, one in holding:
        print(f"   {count} of {_described(one)}")
    for member in cluster_members(workspace, holding[0][1].number, limit=SHOWN_TEXTS):
        sentence = member.sentence
        print(f"      [{sentence.label} → {member.suggested_label}] {' '.join(sentence.text.split())[:WIDTH]}")


def _described(one: Cluster) -> str:
    counts = [", ".join(f"{label} {count}" for label, count in group.items()) for group in (one.labels, one.suggestions)]
    about = f"{one.size} examples ({one.height:.2f}, {one.contradicted} contradicted)"
    return f"{about}: {', '.join(one.words)}; given {counts[0]}; suggested {counts[1]}"
