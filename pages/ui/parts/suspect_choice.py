"""Suspects to act on together, with their suggestions and reasons."""

from collections.abc import Callable
from functools import partial
from typing import Any

from influence.review import Evidence
from influence.suspects import SuspectFilter, suspects
from pages.ui.frame import Session
from pages.ui.parts.bulk_bar import Chosen


def evidence(session: Session, ids: list[str]) -> dict[str, Evidence]:
    """What is known of each suspect, for the log and the fix list's reasons."""
    found: dict[str, Evidence] = {}
    _, page = suspects(session.workspace, SuspectFilter(among=ids), limit=max(len(ids), 1))
    for row in page.to_dict("records"):
        details = {"reason": row["reason"], "suggested_label": row["suggested_label"]}
        found[str(row["train_id"])] = Evidence(method="suspicion", score=row["suspicion"], details=details)
    return found


def suggested(session: Session, ids: list[str]) -> dict[str, str]:
    """The label suggested for each example, where that is another than its own."""
    _, page = suspects(session.workspace, SuspectFilter(among=ids, changed=True), limit=max(len(ids), 1))
    return {str(id): str(label) for id, label in zip(page["train_id"], page["suggested_label"], strict=True)}


def scope(session: Session, ids: Callable[[], list[str]], count: int, origin: dict[str, Any], queue: str) -> Chosen:
    """Suspects to act on, with their suggestions and reasons."""
    return Chosen(ids, count, origin, queue, partial(suggested, session), partial(evidence, session))
