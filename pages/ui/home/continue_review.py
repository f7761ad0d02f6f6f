"""Home's lines about the training labels: what is in doubt, what has been decided, and where the reviewer stopped."""

from collections import Counter

import streamlit as st

import influence
from influence.fixes import FixList, fix_list
from influence.review import Queues, Reviews, has_reviews, open_reviews
from influence.standing import made_from
from pages.ui.frame import md, numbers, render, reviewer, shell, workspaces
from pages.ui.jobs import again
from pages.ui.parts import scales, suspicions


def draw(workspace: influence.Workspace) -> None:
    """Links that lead on, those that fit."""
    name = workspace.name
    reviews = _reviews(workspace)
    if suspicions.known(workspace):
        decided = set() if reviews is None else {d.example_id for d in reviews.decisions()}
        count = suspicions.in_doubt(workspace, decided)
        shell.link(
            "suspects",
            f"{count:,} training examples whose label is in doubt{', and not decided yet' if decided else ''}",
            workspace=name,
        )
        found = None if reviews is None else scales.whole(workspace, reviews)
        if found is not None and (text := scales.line(scales.left(found), scales.stop(found))):
            render.hint(text)
    else:
        shell.link("suspects", "Which training labels are wrong? Compute the suspects", workspace=name)
    if reviews is not None and (found_fixes := _fixes(reviews)).fixes:
        kept = len(found_fixes.fixes) - found_fixes.changes
        counts = numbers.counted(found_fixes.changes, "change") + (f", {kept:,} kept as they are" if kept else "")
        shell.link("fix_list", f"Fix list: {counts}", workspace=name)
    if reviews is not None and (today := _today(reviews)):
        shell.link("fix_list", f"Today: {today}", workspace=name, icon=":material/calendar_today:", part="progress")


def _today(reviews: Reviews) -> str:
    """How many decisions of today stand, and whose they are; empty for none."""
    found = Counter(d.reviewer for d in reviews.decisions() if numbers.local_day(d.at) == numbers.today())
    if not found:
        return ""
    people = ", ".join(f"{md(who, 24)} {count:,}" for who, count in found.most_common(3))
    return f"{numbers.counted(found.total(), 'decision')} ({people}{', …' if len(found) > 3 else ''})"


def build_again(workspace: influence.Workspace) -> None:
    """The loop: build the workspace again with what was decided, and where it was built again from another, which."""
    reviews = _reviews(workspace)
    if reviews is not None and (before := made_from(workspace).get("workspace")) in workspaces.names():
        changes = numbers.counted(sum(made_from(workspace)["counts"].values()), "change")
        text = f"Built from {md(before)} with {changes}: what is better, what is worse"
        link = {"part": "compare", "one": str(before), "two": workspace.name}
        shell.link("data_and_runs", text, workspace=workspace.name, icon=":material/compare_arrows:", **link)
    again.draw(workspace, 0 if reviews is None else _fixes(reviews).changes)


def _key(reviews: Reviews) -> tuple[str, str, int]:
    return str(reviews.workspace.path), reviews.corpus.build, reviews.version


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Reviews: _key})
def _fixes(reviews: Reviews) -> FixList:
    return fix_list(reviews)


def _reviews(workspace: influence.Workspace) -> Reviews | None:
    """The reviews, if there are any and this server may open them; Review itself says why not."""
    try:
        return open_reviews(workspace) if has_reviews(workspace.path) else None
    except influence.WorkspaceError:
        return None


def stopped(workspace: influence.Workspace) -> tuple[str, str] | None:
    """The queue that the reviewer worked last and that has something left for them: a line for a label, and its id."""
    reviews, who = _reviews(workspace), reviewer.known()
    if reviews is None or who is None:
        return None
    queues = Queues(reviews)
    worked = dict.fromkeys(action.queue for action in reviews.recent(who, 50) if action.queue)
    still_open = {queue.id: queue for queue in queues.all()}
    for id in worked:
        if id in still_open and (left := queues.progress(id, who).left):
            return f"Continue where you stopped: {md(still_open[id].name, 60)}, {left:,} left", id
    return None
