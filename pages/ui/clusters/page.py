"""The Clusters page: where to cut, the clusters, a map, and one cluster's members."""

import pandas as pd
import streamlit as st

import influence
from influence.clusters import WE_TOPK, Cluster, cluster, cluster_map, clusters, clusters_provenance, has_clusters
from pages.ui.clusters import members as clusters_members, worth
from pages.ui.clusters.address import LARGEST, LEAST, MOST, ORDER, SHOW, SMALLEST, STEP, ClustersAddress, read_address
from pages.ui.frame import Session, arrive, bind, go, messages, render, shell
from pages.ui.jobs import compute
from pages.ui.parts import STILL, Row, decision_charts, rows, scales, suspicions, verdicts

ROWS, MAP = "clusters_rows", "clusters_map"
MOST_CARDS = 60
EXPLANATION = (
    "Examples that were hard to learn are grouped by whether they pull the model the same way, through the same words: "
    "one mistake that was made many times shows as one cluster, and can be mended at once. Influence does the grouping; "
    "how likely a label is wrong is what models say that have not seen it."
)
BY_TOP_K = "Distances by TracIn-WE-Topk: over the strongest positions of each text, not over all its words as in the paper."


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    shell.follow()
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    session.show_title("Clusters")
    if not suspicions.known(workspace):
        compute.offer(workspace, "suspects", "Clusters are made of suspects, which have not been computed yet", EXPLANATION)
    elif not suspicions.known(workspace, has_clusters):
        compute.offer(workspace, "clusters", "The clusters have not been computed yet", EXPLANATION)
    else:
        messages.show()
        _cut(session, address)


def _cut(session: Session, address: ClustersAddress) -> None:
    try:
        found = clusters(session.workspace, threshold=address.threshold, min_size=address.size, order=address.order)
        looked_at = cluster(session.workspace, address.cluster) if address.cluster >= 0 else None
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))
        return
    with st.container(key="wt-split-clusters"):
        left, right = st.columns([1.35, 1], gap="large")
    with right:
        _sliders(session, address, found)
        _map(session, address, found)
    with left:
        if looked_at is not None:
            clusters_members.draw(session, address, looked_at)
        else:
            _cards(session, address, found)


def _sliders(session: Session, address: ClustersAddress, found: list[Cluster]) -> None:
    st.session_state["clusters_threshold"], st.session_state["clusters_size"] = address.threshold, address.size
    with st.container(horizontal=True):
        st.slider(
            "Threshold", LEAST, MOST, step=STEP, key="clusters_threshold", on_change=_change, args=(address,),
            help="The largest mean influence distance within a cluster: small for tight ones, 1 for whatever pulls together",
        )  # fmt: skip
        st.slider("Minimum size", SMALLEST, LARGEST, key="clusters_size", on_change=_change, args=(address,))
    made = clusters_provenance(session.workspace)
    members = sum(one.size for one in found)
    text = f"{len(found):,} clusters hold {members:,} of {made['clustered']:,} difficult examples"
    if made["difficult"] > made["clustered"]:
        text += f" (the most suspicious of {made['difficult']:,})"
    render.hint(text)
    if made["settings"].get("method") == WE_TOPK:
        render.hint(BY_TOP_K)


def _map(session: Session, address: ClustersAddress, found: list[Cluster]) -> None:
    points = cluster_map(session.workspace, threshold=address.threshold, min_size=address.size)
    if points.empty:
        return
    names = {one.number: one.name for one in found}
    inside = set(cluster(session.workspace, address.cluster).train_ids) if address.cluster >= 0 else None
    figure = decision_charts.cluster_map(points, names, inside)
    key = f"{MAP}_{address.cluster}"  # a new chart has no point selected
    st.plotly_chart(figure, key=key, on_select=lambda: _pick(address, key), selection_mode="points", config=STILL)
    render.hint("Near points pull the model the same way; axes and larger distances mean nothing. A click opens a cluster.")


def _pick(address: ClustersAddress, key: str) -> None:
    for point in st.session_state[key]["selection"]["points"]:
        number = (point.get("customdata") or [-1])[0]
        go(address.at(cluster=int(number), page=1))


def _cards(session: Session, address: ClustersAddress, found: list[Cluster]) -> None:
    render.heading("Clusters", f"the first {MOST_CARDS}" if len(found) > MOST_CARDS else f"{len(found):,}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "First come those with most", list(ORDER), format_func=ORDER.__getitem__, width=230,
            help="Doubt: what the opinions hold against its members' labels, summed. Mistakes driven: different wrong test "
            "predictions among whose strongest opponents one of its members is.",
            **bind(address, "order", "clusters_order"),
        )  # fmt: skip
        st.segmented_control(
            "Show", list(SHOW), format_func=SHOW.__getitem__, required=True, label_visibility="collapsed",
            **bind(address, "show", "clusters_show"),
        )  # fmt: skip
    if address.show == "changed":
        found = [one for one in found if len(_label_change(one)) > 1]
    if not found:
        render.hint("No cluster at this threshold and size: move the sliders.")
        return
    chances = scales.chances(session.workspace, session.reviews)
    rows.draw([_card(one, chances) for one in found[:MOST_CARDS]], key=ROWS, on_open=lambda: _open(address))


def _card(one: Cluster, chances: pd.Series | None) -> Row:
    return rows.row(
        str(one.number),
        name=one.name,
        labels=[(f"{one.size:,} examples", "quiet"), *_label_change(one)],
        sides=[],
        reason=worth.sentence(one, chances),
        foot=f"given {verdicts.label_counts(one.labels)} · the model says {verdicts.label_counts(one.predictions)}"
        + (f" · {tied}" if (tied := worth.tie(one)) else ""),
    )


def _label_change(one: Cluster) -> list[tuple[str, str]]:
    """The commonest label of a cluster and the one suggested for most of it, as chips."""
    return verdicts.label_change(next(iter(one.labels)), next(iter(one.suggestions)))


def _open(address: ClustersAddress) -> None:
    if opened := rows.opened(ROWS):
        go(address.at(cluster=int(opened), page=1))


def _change(address: ClustersAddress) -> None:
    threshold, size = round(st.session_state["clusters_threshold"], 2), st.session_state["clusters_size"]
    go(address.at(threshold=threshold, size=size, cluster=-1, page=1))
