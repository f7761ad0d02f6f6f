"""The Fix list's log: every event ever made, to take away, and to look at."""

from collections.abc import Iterable
from functools import partial

import pandas as pd
import streamlit as st

from pages.ui.fix_list import downloads
from pages.ui.fix_list.address import FixListAddress
from pages.ui.frame import Session, render, turn_pages

FEW = 16  # rows that fit on a screen
PAGE = 100
COLUMNS = {
    "seq": "number", "at": "when (UTC)", "reviewer": "reviewer", "auth": "known by", "kind": "event", "example_id": "example",
    "old_label": "label", "new_label": "new label", "words": "words", "note": "note", "target": "takes back or redoes",
    "undone": "undone", "queue": "queue", "origin": "made by", "ms_on_screen": "ms on screen", "method": "method",
    "score": "score", "control": "planted control", "evidence": "on screen", "build": "build",
}  # fmt: skip


def draw(session: Session, address: FixListAddress) -> None:
    """The whole part, the latest events first."""
    events = session.reviews.audit()
    broken = session.reviews.log.verify()
    render.heading("Log", f"{len(events):,} events; nothing is ever overwritten")
    if broken:
        render.notes(broken)
    else:
        render.hint("Nothing is missing and nothing was changed: every record follows from the one before.")
    if events.empty:
        return
    name = f"{address.workspace}-log"
    with st.container(horizontal=True, key="wt-log-files"):
        for suffix, mime in downloads.LOGS.items():
            st.download_button(
                f"Download as {suffix.removeprefix('.').upper()}", key=f"log_{suffix[1:]}", icon=":material/download:",
                data=partial(downloads.log, session.reviews, suffix), file_name=f"{name}{suffix}", mime=mime, on_click="ignore",
            )  # fmt: skip
    pages = max(1, -(-len(events) // PAGE))
    page = min(address.page, pages)
    shown = events.iloc[::-1].iloc[(page - 1) * PAGE : page * PAGE]
    st.dataframe(
        _readable(shown), hide_index=True, height="content" if len(shown) < FEW else 640, placeholder="", key=f"log_{page}"
    )
    turn_pages(address, page, pages, key="log_page")


def _readable(events: pd.DataFrame) -> pd.DataFrame:
    frame = events[list(COLUMNS)].rename(columns=COLUMNS)
    frame["when (UTC)"] = frame["when (UTC)"].dt.strftime("%Y-%m-%d %H:%M:%S")
    frame["words"] = [", ".join(words) if isinstance(words, Iterable) else "" for words in frame["words"]]
    return frame
