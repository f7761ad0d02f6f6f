"""By cause: the clusters of mislabelled sentences, where to cut, and the run that makes them."""

from collections.abc import Collection

import pandas as pd
import streamlit as st

from influence.clusters import WE_TOPK, Cluster, cluster_map, clusters, clusters_provenance
from influence.data import find
from pages.ui.frame import Session, go, messages, numbers, render
from pages.ui.jobs import background, compute, waiting
from pages.ui.parts import STILL, Piece, Row, decision_charts, explanation_board, rows, scales, verdicts
from pages.ui.suspects import controls, members, worth
from pages.ui.suspects.address import CAUSE_ORDERS, CHANGED, LARGEST, LEAST, MOST, SMALLEST, STEP, CausesAddress

KEY, ROWS, MAP = "clusters", "clusters_rows", "clusters_map"
MOST_CARDS = 60
HEADS = ("Cause: words that its sentences share, with the most suspicious of them", "Beside the strongest cause")
TOGETHER = "The sentences of one pull the model the same way, through the same words: decide them together."
BY_TOP_K = "Distances by TracIn-WE-Topk: over the strongest positions of each text, not over all its words as in the paper."


def draw(session: Session, address: CausesAddress) -> None:
    """What is grouped, the controls, and the causes."""
    found = clusters(session.workspace, threshold=address.threshold, min_size=address.size, order=address.order)
    done = set(members.decided_ids(session))
    finished = [one for one in found if done.issuperset(one.train_ids)]
    listed = found if address.decided == "all" else [one for one in found if one not in finished]
    listed = [one for one in listed if address.show == "all" or len(_label_change(one)) > 1]
    render.hint(_said(session, found))
    messages.show()
    waiting.draw(session.workspace, KEY)
    with controls.line(address, search="", key=KEY):
        controls.folded(lambda: _filters(address))
        controls.decided(address, key=KEY, count=len(finished))
        _run(session)
    if not listed:
        render.hint("No cause at this threshold and size: change them under “Filter and sort”." if not found else "None is left.")
        return
    _cards(session, address, listed, done)
    _map(session, address, found)


def _said(session: Session, found: list[Cluster]) -> str:
    made = clusters_provenance(session.workspace)
    inside = sum(one.size for one in found)
    less = f" (the most suspicious of {made['difficult']:,})" if made["difficult"] > made["clustered"] else ""
    of = f"of the {made['clustered']:,} sentences that were hard to learn{less}"
    text = f"{numbers.counted(len(found), 'cause')} with {inside:,} {of}. {TOGETHER}"
    return f"{text} {BY_TOP_K}" if made["settings"].get("method") == WE_TOPK else text


def _run(session: Session) -> None:
    running = any(job.command == KEY and not job.failed for job in background.jobs(session.workspace))
    st.button(
        "Run mislabel clustering", key="clusters_run", icon=":material/workspaces:", disabled=running, on_click=compute.start,
        args=(session.workspace, KEY, (), "Mislabel clustering", KEY), help="Again, with the suspects as they are ranked now",
    )  # fmt: skip


def _filters(address: CausesAddress) -> None:
    controls.choice(
        "First come those with most", address, "order", CAUSE_ORDERS, key=KEY,
        about="Doubt: what the opinions hold against the labels, summed. Mistakes pushed: wrong test predictions against which "
        "its sentences together carry 5% or more of the pull.",
    )  # fmt: skip
    controls.choice("Show", address, "show", CHANGED, key=KEY)
    st.session_state["clusters_threshold"], st.session_state["clusters_size"] = address.threshold, address.size
    st.slider(
        "Threshold", LEAST, MOST, step=STEP, key="clusters_threshold", on_change=_change, args=(address,),
        help="The largest mean influence distance within a cause: small for tight ones, 1 for whatever pulls together",
    )  # fmt: skip
    st.slider("Minimum size", SMALLEST, LARGEST, key="clusters_size", on_change=_change, args=(address,))


def _cards(session: Session, address: CausesAddress, listed: list[Cluster], done: Collection[str]) -> None:
    chances = scales.chances(session.workspace, session.reviews)
    most = max(one.doubt or 0.0 for one in listed), max(one.mistakes or 0 for one in listed)
    lines = [_card(session, address, one, chances, most, done) for one in listed[:MOST_CARDS]]
    rows.draw(lines, key=ROWS, on_open=lambda: _open(address), heads=HEADS)
    if len(listed) > MOST_CARDS:
        render.hint(f"The first {MOST_CARDS} of {len(listed):,}.")


def _card(
    session: Session,
    address: CausesAddress,
    one: Cluster,
    chances: pd.Series | None,
    most: tuple[float, int],
    done: Collection[str],
) -> Row:
    first = session.reviews.corpus[one.train_ids[0]]
    decided = sum(id in done for id in one.train_ids)
    return rows.row(
        str(one.number),
        name=one.name,
        href=address.at(cluster=one.number, page=1).href(),
        labels=[(numbers.counted(one.size, "sentence"), "quiet"), *_label_change(one)],
        sides=[_lit(text, one.words) for text in (first.text, first.text_pair) if text is not None],
        reason=worth.sentence(one, chances),
        state=f"{decided} of {one.size} decided" if decided else "",
        signals=worth.signals(one, *most),
    )


def _lit(text: str, words: list[str]) -> list[Piece]:
    spans = [span for word in words for span in find(text, word)]
    return explanation_board.pieces_of(text, [(n, *span) for n, span in enumerate(_apart(spans))], read_to=len(text))


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for span in sorted(spans):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _label_change(one: Cluster) -> list[tuple[str, str]]:
    """The commonest label of a cause and the one suggested for most of it, as chips."""
    return verdicts.label_change(next(iter(one.labels)), next(iter(one.suggestions)))


def _map(session: Session, address: CausesAddress, found: list[Cluster]) -> None:
    with st.expander("Map of the sentences that were hard to learn", key="clusters_map_open", on_change="rerun") as fold:
        if not fold.open:
            return
        points = cluster_map(session.workspace, threshold=address.threshold, min_size=address.size)
        figure = decision_charts.cluster_map(points, {one.number: one.name for one in found}, None)
        st.plotly_chart(figure, key=MAP, on_select=lambda: _pick(address), selection_mode="points", config=STILL)
        render.hint("Near points pull the model the same way; axes and larger distances mean nothing. A click opens a cause.")


def _pick(address: CausesAddress) -> None:
    for point in st.session_state[MAP]["selection"]["points"]:
        number = (point.get("customdata") or [-1])[0]
        if number >= 0:
            go(address.at(cluster=int(number), page=1))


def _open(address: CausesAddress) -> None:
    if opened := rows.opened(ROWS):
        go(address.at(cluster=int(opened), page=1))


def _change(address: CausesAddress) -> None:
    threshold, size = round(st.session_state["clusters_threshold"], 2), st.session_state["clusters_size"]
    go(address.at(threshold=threshold, size=size, cluster=-1, page=1))
