"""The frame around every page: configuration, stylesheet, sidebar, and the workspace that the address names.

Every page file begins with `begin`, `app.py` too: a page opened by its own address runs without `app.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import influence
from pages.ui.frame import access, render, reviewer, workspaces
from pages.ui.frame.address import Binding

PARAMETER = "workspace"
LEAVING = "wt_leaving"


@dataclass(frozen=True)
class Page:
    """One page: the file Streamlit runs, and its line in the sidebar; a page `under` another has none, and lights that one's."""

    file: str
    title: str
    icon: str
    about: str
    under: str = ""


PAGES = {
    "home": Page("app.py", "Home", ":material/home:", "What this workspace is, and how good its model is"),
    "explore": Page(
        "pages/explore.py", "Explore", ":material/search:", "The training sentences, and the words, behind a prediction"
    ),
    "suspects": Page(
        "pages/suspects.py", "Suspects", ":material/flag:", "Training examples ranked by how likely their label is wrong"
    ),
    "clusters": Page(
        "pages/clusters.py", "Suspects by cause", ":material/workspaces:", "Suspects that share a cause", under="suspects"
    ),
    "words": Page(
        "pages/words.py",
        "Suspects by word",
        ":material/match_word:",
        "The words that pull hardest against the test mistakes",
        under="suspects",
    ),
    "review": Page("pages/review.py", "Review", ":material/rate_review:", "One example at a time, by keyboard"),
    "fix_list": Page(
        "pages/fix_list.py", "Fix list", ":material/checklist:", "What will change, and the files to change it with"
    ),
    "proof": Page("pages/proof.py", "Proof", ":material/science:", "Whether fixes help and scores can be trusted, by retraining"),
    "what_if": Page("pages/what_if.py", "Proof", ":material/science:", "What a change would do", under="proof"),
    "evidence": Page("pages/evidence.py", "Proof", ":material/science:", "Whether the scores can be trusted", under="proof"),
    "data_and_runs": Page(
        "pages/data_and_runs.py", "Data", ":material/database:", "From a file of yours to a workspace; several of them"
    ),
    "help": Page("pages/help.py", "Help", ":material/help:", "What a score means, the keys, the command lines", under="help"),
}


def begin(key: str) -> influence.Workspace:
    """Draw the frame of a page and return its workspace; where there is none to show, say so and stop the page."""
    chosen, names = _frame(key)
    if not names:
        _nothing_yet()
    if chosen not in names:
        _unknown(chosen)
    try:
        return workspaces.open_named(chosen)
    except influence.WorkspaceNewer as error:
        _stop("This workspace is newer than this Wordtrace", str(error))
    except influence.WorkspaceMissing as error:
        _stop("This workspace has gone", str(error))
    except influence.WorkspaceError as error:
        _stop("This workspace cannot be opened", str(error))


def begin_without(key: str) -> str:
    """Draw the frame of a page that needs no workspace; returns the name of the one that the others show, or ""."""
    chosen, names = _frame(key)
    if not workspaces.root().is_dir() and key != "help":
        _no_folder()
    return chosen if chosen in names else ""


def _frame(key: str) -> tuple[str, list[str]]:
    page = PAGES[key]
    st.set_page_config(
        page_title=f"{page.title} · Wordtrace",
        page_icon=str(render.ASSETS / "frame" / "icon.svg"),
        layout="wide",
        initial_sidebar_state=220,
    )
    render.style()
    if access.login_missing():
        reviewer.ask_for_login("Log in", "This server shows its data to those who log in.")
        st.stop()
    names = workspaces.names()
    asked = st.query_params.get(PARAMETER, "")
    chosen = asked or workspaces.first()
    _sidebar(key, names, chosen if chosen in names else "")
    return chosen, names


def title_and_parts(title: str, parts: Mapping[Any, str], binding: Binding, *, name: str = "Part") -> DeltaGenerator:
    """A page's title and a switch between the page's parts beside it; returns the line, for more."""
    line = st.container(horizontal=True, vertical_alignment="center", key="wt-title")
    with line:
        render.title(title)
        st.segmented_control(
            name, list(parts), format_func=parts.__getitem__, required=True, label_visibility="collapsed", **binding
        )
    return line


def link(key: str, text: str, /, *, workspace: str, icon: str | None = None, **parameters: str) -> None:
    """A link to a page that keeps the workspace; `text` may hold Markdown, so data in it goes through `render.md`."""
    page = PAGES[key]
    st.page_link(page.file, label=text, icon=icon or page.icon, query_params={PARAMETER: workspace, **parameters})


def meaning(text: str, *, workspace: str) -> None:
    """A quiet line on what numbers mean, with the way to the whole of it."""
    with st.container(horizontal=True, vertical_alignment="center", key="wt-meaning"):
        render.hint(text)
        link("help", "What a score means", workspace=workspace)


def href(key: str, /, *, workspace: str, **parameters: str) -> str:
    """A page's address, for links in components."""
    return f"{key}?{urlencode({PARAMETER: workspace, **parameters})}"


def switch(key: str, /, **parameters: str) -> NoReturn:
    """Leave for another page at the given address."""
    st.switch_page(PAGES[key].file, query_params=parameters)
    raise AssertionError("switch_page does not return")


def leave_for(key: str, **parameters: str) -> None:
    """Leave for another page at the next drawing. For callbacks, which cannot switch pages themselves."""
    st.session_state[LEAVING] = (key, parameters)


def follow() -> None:
    """Leave, if a callback has said so. A page whose callbacks use `leave_for` begins its drawing with this."""
    if LEAVING in st.session_state:
        key, parameters = st.session_state.pop(LEAVING)
        switch(key, **parameters)


def _sidebar(current: str, names: list[str], chosen: str) -> None:
    with st.sidebar:
        render.brand()
        if len(names) > 1 or (names and not chosen):
            _workspace_choice(names, chosen)
        lit = PAGES[current].under or current
        for key, page in PAGES.items():
            if page.under:
                continue
            parameters = {PARAMETER: chosen} if chosen else {}
            with st.container(key=f"wt-nav-{key}{'-current' if key == lit else ''}"):
                st.page_link(page.file, label=page.title, icon=page.icon, query_params=parameters)
        with st.container(key="wt-foot"):
            st.page_link(PAGES["help"].file, label="Help", query_params={PARAMETER: chosen} if chosen else {})
            render.version(influence.__version__)


def _workspace_choice(names: list[str], chosen: str) -> None:
    # Set from the address on every run, so that Back and Forward move it.
    st.session_state["wt_workspace"] = chosen or None
    st.selectbox("Workspace", names, key="wt_workspace", placeholder="choose one", on_change=_change_workspace)


def _change_workspace() -> None:
    # A new workspace knows other sentences and labels: nothing else of the address holds there.
    st.query_params.from_dict({PARAMETER: st.session_state["wt_workspace"] or ""})


def _nothing_yet() -> NoReturn:
    unfinished = workspaces.half_built()
    if unfinished:
        _unfinished(unfinished[0])
    if not workspaces.root().is_dir():
        _no_folder()
    _stop(
        "No workspace yet",
        "Make one from a file of yours: texts with a label each. Or build the demo, as Help says, and reload this page.",
        onward="Bring your own data",
    )


def _unfinished(name: str) -> NoReturn:
    _stop(
        f"The build of {name[:100]} is not finished",
        "It is running, or was interrupted. Wait for it, or go on with it; then reload this page.",
        onward="See how far it is",
        part="runs",
    )


def _no_folder() -> NoReturn:
    _stop("There is no workspace folder", "The folder that this server was told to look in is not there. Help names it.")


def _unknown(name: str) -> NoReturn:
    if name in workspaces.half_built():
        _unfinished(name)
    _stop("There is no such workspace", f"This server has no workspace named {name[:100]!r}. Choose one at the left.")


def _stop(title: str, message: str, *, onward: str = "", **parameters: str) -> NoReturn:
    render.page_state(title, message)
    if onward:
        page = PAGES["data_and_runs"]
        with st.container(key="wt-onward"):
            st.page_link(page.file, label=onward, icon=page.icon, query_params=parameters)
    st.stop()
