"""Home's lines about the training labels: what is in doubt, what has been decided, and where the reviewer stopped."""

import influence
from influence.review import Queues, Reviews, has_reviews, open_reviews
from pages.ui.frame import md, render, reviewer, shell
from pages.ui.parts import scales, suspicions


def draw(workspace: influence.Workspace) -> None:
    """Links that lead on, those that fit."""
    name = workspace.name
    reviews = _reviews(workspace)
    if suspicions.known(workspace):
        count = len(suspicions.ranked_ids(workspace))
        shell.link("suspects", f"{count:,} training examples whose label is in doubt", workspace=name)
        found = None if reviews is None else scales.whole(workspace, reviews)
        if found is not None and (text := scales.line(scales.left(found), scales.stop(found))):
            render.hint(text)
    else:
        shell.link("suspects", "Which training labels are wrong? Compute the suspects", workspace=name)
    if reviews is not None and (decided := len({d.example_id for d in reviews.decisions()})):
        shell.link("fix_list", f"{decided:,} decided: the fix list", workspace=name)


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
