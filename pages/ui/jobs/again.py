"""The loop on screen: one button builds a workspace again with its decisions, and says what became of it."""

import os

import streamlit as st

import influence
from influence.clusters import clusters_provenance, has_clusters
from influence.fixes import built_again, free_name, refusal
from influence.suspects import has_suspects, provenance
from pages.ui.frame import answers, md, messages, numbers, render, shell, workspaces
from pages.ui.jobs import build_view, builds
from pages.ui.jobs.background import Job

EVERY = 1.0  # seconds between looks
WATCHED = "wt_watched_again"
NOTHING = "Nothing that is decided so far changes the data. Relabel, remove or mask something first; then build again from here."


def draw(workspace: influence.Workspace, changes: int, policy: str = "majority") -> None:
    """The button, how far the build is, or how the new workspace compares. `changes`: of the fix list as it stands."""
    with st.container(border=True, key="wt-again"):
        job = _job(workspace)
        if job is not None and not job.failed:
            _watch(workspace)
            return
        st.session_state.pop(WATCHED, None)
        if job is not None:
            build_view.ended(job)
            return
        done = built_again(workspace)
        for name in done[:1]:
            _result(workspace, name)
        _offer(workspace, changes, policy, again=bool(done))


def _job(workspace: influence.Workspace) -> Job | None:
    return next((job for job in builds.runs() if job.about.get("before") == workspace.name), None)


@st.fragment(run_every=EVERY)
def _watch(workspace: influence.Workspace) -> None:
    job = _job(workspace)
    if job is None or job.failed:
        st.rerun()
    waiting = [other.folder for other in builds.runs() if not other.failed]
    build_view.unfinished(job, waiting.index(job.folder) if job.folder in waiting else 0)
    render.hint("It runs by itself: go on reviewing, or close this page. What is decided meanwhile is carried over, too.")


def _offer(workspace: influence.Workspace, changes: int, policy: str, *, again: bool) -> None:
    why = refusal(workspace)
    name = free_name(workspace, frozenset(str(job.about.get("name")) for job in builds.runs()))
    seconds = expected_seconds(workspace)
    st.button(
        "Build once more" if again else "Build again with my fixes", key="again_start", icon=":material/autorenew:",
        type="tertiary" if again else "primary", width="content" if again else "stretch", disabled=bool(why) or not changes,
        on_click=_start, args=(workspace, name, policy, changes, seconds),
    )  # fmt: skip
    if why:
        render.hint(f"{workspace.name} {why}.")
    elif not changes:
        render.hint(NOTHING)
    elif not again:
        made = numbers.counted(changes, "change")
        render.hint(
            f"Makes a new workspace, {name}: the same data, settings and test part, with {made} made in its training data. "
            f"{workspace.name} and your file stay as they are; decisions and queues go along. "
            f"About {numbers.roughly(seconds)} as busy as this machine is now."
        )


def expected_seconds(workspace: influence.Workspace) -> float:
    """How long the workspace's own build took, with the rankings that belong to it, were the machine as busy as it is now.

    A build shares the processors with whatever else runs: as many again as there is load for each of them.
    """
    seconds = workspace.info.seconds
    if has_suspects(workspace):
        seconds += float(provenance(workspace).get("seconds") or 0.0)
    if has_clusters(workspace):
        seconds += float(clusters_provenance(workspace).get("seconds") or 0.0)
    return seconds * (1 + os.getloadavg()[0] / (os.cpu_count() or 1))


def _start(workspace: influence.Workspace, name: str, policy: str, changes: int, seconds: float) -> None:
    with messages.or_say("Not started"):
        options = ["--workspace", str(workspace.path.resolve()), "--with-fixes", "--as", name, "--policy", policy]
        epochs = (workspace.info.settings.get("training") or {}).get("epochs")
        about = {"before": workspace.name, "changes": changes, "seconds": seconds, "epochs": epochs}
        builds.enqueue(name, options, about)


def _result(workspace: influence.Workspace, name: str) -> None:
    """How the workspace that was built again compares with this one, on the same test part."""
    try:
        after = workspaces.open_named(name)
        found = answers.compared(workspace, after, tests_only=True)
    except influence.WorkspaceError as error:
        st.error(md(error, 600))
        return
    render.heading(f"{name} is ready", f"{workspace.name} with the fixes")
    (right, right_2), (wrong, wrong_2) = found.accuracies, found.wrong
    render.verdict(
        f"{right:.1%} → {right_2:.1%} of the same {found.shared_tests:,} test texts are right: {wrong:,} → {wrong_2:,} wrong.",
        sure=found.chance < 0.05,
    )
    render.hint(found.sentence)
    with st.container(horizontal=True, key="wt-again-links"):
        shell.link(
            "data_and_runs", "See what changed", workspace=name, icon=":material/compare_arrows:", part="compare",
            one=workspace.name, two=name,
        )  # fmt: skip
        shell.link("home", f"Go on in {md(name)}", workspace=name, icon=":material/arrow_forward:")
