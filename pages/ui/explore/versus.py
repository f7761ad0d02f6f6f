"""Two methods side by side: the examples each ranks first for one sentence, and where the other ranks them."""

import streamlit as st

import influence
from influence import METHODS, Explanation, Influence
from pages.ui.explore import asking
from pages.ui.explore.address import ExploreAddress
from pages.ui.frame import md, numbers, render, shell
from pages.ui.parts import Row, explanation_board, rows

RANKED = 100  # how far down the other method's list a sentence is looked for


def draw(workspace: influence.Workspace, address: ExploreAddress) -> None:
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
    one, other = found
    for title, ours, theirs in (
        ("Proponents", one.proponents, other.proponents),
        ("Opponents", one.opponents, other.opponents),
    ):
        _side(workspace, address, title, (one, other), (ours, theirs))


def _side(
    workspace: influence.Workspace,
    address: ExploreAddress,
    title: str,
    both: tuple[Explanation, Explanation],
    lists: tuple[list[Influence], list[Influence]],
) -> None:
    shown = [ones[: address.top] for ones in lists]
    common = {one.train.id for one in shown[0]} & {one.train.id for one in shown[1]}
    most = max(map(len, shown))
    render.heading(title, f"{len(common)} of the first {most} are the same" if most else "none by either method")
    ranks = [{one.train.id: rank for rank, one in enumerate(ones, start=1)} for ones in lists]
    for number, column in enumerate(st.columns(2, gap="medium")):
        with column:
            name, beside = METHODS[both[number].method].title, METHODS[both[1 - number].method].title
            render.hint(f"by {name}")
            lines = [
                _row(workspace, rank, one, ranks[1 - number].get(one.train.id), one.train.id in common, beside)
                for rank, one in enumerate(shown[number], start=1)
            ]
            rows.draw(lines, key=f"versus_{title}_{number}")


def _row(workspace: influence.Workspace, rank: int, one: Influence, there: int | None, common: bool, beside: str) -> Row:
    train = one.train
    sums = one.train_words()
    return rows.row(
        str(train.id),
        labels=[(f"{rank}.", "quiet"), (train.label, "label"), (numbers.score(one.score), "quiet")],
        sides=explanation_board.sides(train, set(sums)),
        sums=sums,
        foot=f"{beside}: number {there}" if there else f"{beside}: not among the first {RANKED}",
        state="in both" if common else "",
        links=[("Review", shell.href("review", workspace=workspace.name, id=str(train.id)))],
    )
