"""A reviewer's desk: the workspace's reviews and queues, open for writing, and who sits at it."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

import influence
from influence.review import Queues, Reviewer, Reviews, open_reviews
from pages.ui.frame import render, reviewer
from pages.ui.frame.render import md

SAID = "wt_said"


@dataclass(frozen=True)
class Desk:
    """What every page needs that shows or makes decisions."""

    workspace: influence.Workspace
    reviews: Reviews

    @property
    def somebody(self) -> Reviewer | None:
        """Who is at this browser, if that is known."""
        return reviewer.known()

    @property
    def known(self) -> bool:
        """Whether it is known who is at this browser; nobody else may decide."""
        return self.somebody is not None

    @property
    def reviewer(self) -> Reviewer:
        """Who is at this browser, once that is known."""
        found = self.somebody
        assert found is not None
        return found

    @property
    def queues(self) -> Queues:
        """The queues of these reviews."""
        return Queues(self.reviews)


def sit_down(workspace: influence.Workspace) -> Desk:
    """The desk of whoever is at this browser, who is asked for their name if need be; stops the page until they answer."""
    if reviewer.known() is None:
        reviewer.ask()
        st.stop()
    return visit(workspace)


def visit(workspace: influence.Workspace) -> Desk:
    """The desk, whoever looks at it. Where the reviews cannot be opened, says why and stops the page."""
    try:
        reviews = open_reviews(workspace)
    except influence.WorkspaceBusy as error:
        render.page_state("The reviews are open elsewhere", str(error))
        st.stop()
    except influence.WorkspaceError as error:
        render.page_state("The reviews cannot be opened", str(error))
        st.stop()
    return Desk(workspace, reviews)


def who(desk: Desk) -> None:
    """Says whose name goes on the decisions, and lets it be changed where it was typed."""
    if not desk.known:
        return
    reviewer.keep()
    local = desk.reviewer.auth == "local"
    st.button(
        md(desk.reviewer.name, 24), icon=":material/person:", key="wt_change_reviewer", type="tertiary", disabled=not local,
        help="Decisions are made in this name. Change it" if local else "Decisions are made in the name of this login",
        on_click=reviewer.change,
    )  # fmt: skip


def say(message: str, *, failed: bool = False) -> None:
    """Leave a message for the next drawing. For callbacks."""
    st.session_state[SAID] = (message, failed)


def said() -> tuple[str, bool]:
    """The message that a callback left for this drawing, and whether it tells of a failure."""
    return st.session_state.pop(SAID, ("", False))


def clock(at: datetime) -> str:
    """The time of day where the browser is, to the second."""
    name = st.context.timezone
    try:
        zone = ZoneInfo(name if isinstance(name, str) else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return f"{at.astimezone(zone):%H:%M:%S}"
