"""Two methods side by side: the examples each ranks first for one sentence, and where the other ranks them."""

import streamlit as st

import influence
from influence import METHODS, Explanation
from influence.explanations import word_pieces
from pages.ui.explore import answer, asking
from pages.ui.explore.address import ExploreAddress
from pages.ui.frame import md, shell
from pages.ui.parts import explanation_board

KEY = "explore_versus_board"
RANKED = 100  # how far down the other method's list a sentence is looked for


def draw(workspace: influence.Workspace, address: ExploreAddress, *, about: str) -> None:
    """The first proponents and opponents by both methods, and how many they have in common."""
    ids = (address.method, address.versus)
    for method in ids:
        if asking.waits(workspace, address, method):
            asking.offer(workspace, address, method)
            return
    found = []
    for method in ids:
        try:
            found.append(asking.ask(workspace, address, method, top=max(RANKED, address.top)))
        except influence.WordtraceError as error:
            st.error(md(error, 600))
            return
    one, other = (_columns(workspace, address, each) for each in found)
    kinds = [column["kind"] for column in one]
    other.sort(key=lambda column: kinds.index(column["kind"]))
    for ours, theirs in zip(one, other, strict=True):
        _beside(ours, theirs, found[0], found[1])
    explanation_board.board(
        [column for both in zip(one, other, strict=True) for column in both],
        label=found[0].label,
        about=about,
        pinned="",
        review=shell.href("review", workspace=workspace.name, id=""),
        key=KEY,
        on_choose=lambda: None,
    )


def _columns(workspace: influence.Workspace, address: ExploreAddress, found: Explanation) -> list[explanation_board.Column]:
    cut = Explanation(found.query, found.label, found.method, found.proponents[: address.top], found.opponents[: address.top])
    return explanation_board.columns_of(cut, word_pieces(workspace), answer.doubted(workspace) or {}, workspace.info.checkpoints)


def _beside(ours: explanation_board.Column, theirs: explanation_board.Column, one: Explanation, other: Explanation) -> None:
    """Say of each card where the other method ranks it, and of both columns how much they have in common."""
    common = {card["id"] for card in ours["cards"]} & {card["id"] for card in theirs["cards"]}
    most = max(len(ours["cards"]), len(theirs["cards"]))
    same = f"{len(common)} of the first {most} are the same." if most else ""
    for column, mine, beside in ((ours, one, other), (theirs, other, one)):
        there = beside.proponents if column["kind"] == "plus" else beside.opponents
        ranks = {example.train.id: rank for rank, example in enumerate(there, start=1)}
        column["name"] = f"{column['name']} by {METHODS[mine.method].title}"
        column["meaning"] = f"{column['meaning']} {same}"
        for card in column["cards"]:
            rank, title = ranks.get(str(card["id"])), METHODS[beside.method].title
            card["foot"] = f"{title}: number {rank}" if rank else f"{title}: not among the first {RANKED}"
            card["state"] = "in both" if card["id"] in common else ""
