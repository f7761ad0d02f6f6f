"""A reviewer's session: the workspace's reviews and queues, open for writing, and who is at this browser."""

from dataclasses import dataclass

import streamlit as st

import influence
from influence.review import Queues, Reviewer, Reviews, open_reviews
from pages.ui.frame import render, reviewer
from pages.ui.frame.render import md


@dataclass(frozen=True)
class Session:
    """What every page needs that shows or makes decisions."""

    workspace: influence.Workspace
    reviews: Reviews

    @classmethod
    def of_reviewer(cls, workspace: influence.Workspace) -> "Session":
        """The session of somebody who is asked for their name if need be; stops the page until they answer."""
        if reviewer.known() is None:
            reviewer.ask()
            st.stop()
        return cls.of_visitor(workspace)

    @classmethod
    def of_visitor(cls, workspace: influence.Workspace) -> "Session":
        """The session, whoever looks at it. Where the reviews cannot be opened, says why and stops the page."""
        try:
            reviews = open_reviews(workspace)
        except influence.WorkspaceBusy as error:
            render.page_state("The reviews are open elsewhere", str(error))
            st.stop()
        except influence.WorkspaceError as error:
            render.page_state("The reviews cannot be opened", str(error))
            st.stop()
        return cls(workspace, reviews)

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

    def show_title(self, title: str) -> None:
        """A page's title, and at its right whose name goes on the decisions."""
        with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
            render.title(title)
            with st.container(horizontal=True, horizontal_alignment="right", width="stretch"):
                self.show_name()

    def show_name(self) -> None:
        """Says whose name goes on the decisions, and lets it be changed where it was typed."""
        if not self.known:
            return
        reviewer.keep()
        local = self.reviewer.auth == "local"
        st.button(
            md(self.reviewer.name, 24), icon=":material/person:", key="wt_change_reviewer", type="tertiary", disabled=not local,
            help="Decisions are made in this name. Change it" if local else "Decisions are made in the name of this login",
            on_click=reviewer.change,
        )  # fmt: skip
