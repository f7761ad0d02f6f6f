"""One cluster: what its members are called and should be, and every member with the words that tie it to the others."""

import streamlit as st

from influence.clusters import Cluster, Member, cluster_members
from pages.ui.clusters import worth
from pages.ui.clusters.address import ClustersAddress
from pages.ui.frame import Session, go, numbers, render, shell, turn_pages
from pages.ui.parts import Chosen, Row, bulk_bar, explanation_board, rows, scales, suspect_choice, suspicions, verdicts

PAGE = 25


def draw(session: Session, address: ClustersAddress, found: Cluster) -> None:
    """The whole of it."""
    st.button("All clusters", icon=":material/list:", key="clusters_back", on_click=go, args=(address.at(cluster=-1, page=1),))
    render.heading(found.name, f"{found.size:,} examples, distance up to {found.height:.2f}")
    more = [
        ("Worth", worth.sentence(found, scales.chances(session.workspace, session.reviews))),
        ("Start and end tokens", _tie(found)),
    ]
    render.facts(
        [
            ("Given", verdicts.label_counts(found.labels)),
            ("The model says", verdicts.label_counts(found.predictions)),
            ("Suggested", verdicts.label_counts(found.suggestions)),
            *(line for line in more if line[1]),
        ]
    )
    bulk_bar.draw(session, [_scope(session, address, found)], key="cluster")
    change = f"cluster:{found.number}:{'remove' if found.suggestions == found.labels else 'relabel'}"
    shell.link("proof", "Would it help? Try it in Proof", workspace=address.workspace, change=change)
    pages = max(1, -(-found.size // PAGE))
    page = min(address.page, pages)
    members = cluster_members(session.workspace, found.number, limit=PAGE, offset=(page - 1) * PAGE)
    standing = verdicts.standing(session.reviews, [str(member.sentence.id) for member in members])
    places = suspicions.ranks(session.workspace, [str(member.sentence.id) for member in members])
    rows.draw([_row(address.workspace, member, standing, places) for member in members], key="clusters_members")
    turn_pages(address, page, pages, key="clusters_page")


def _tie(found: Cluster) -> str:
    share = worth.percent(found)
    return f"{share} of the pull between its members, the rest is words" if share else ""


def _scope(session: Session, address: ClustersAddress, found: Cluster) -> Chosen:
    words = found.name
    origin = {"kind": "cluster", "cluster": found.number, "words": found.words, "threshold": address.threshold}
    ids = list(found.train_ids)
    made = suspect_choice.scope(session, "cluster", f"all {found.size:,}", lambda: ids, found.size, origin, f"Cluster: {words}")
    return bulk_bar.with_words(made, tuple(found.words))


def _row(workspace: str, member: Member, standing: dict[str, str], places: dict[str, int]) -> Row:
    sentence = member.sentence
    id = str(sentence.id)
    words = {word: score for word, score in member.words.items() if sentence.words[word].side >= 0}
    return rows.row(
        id,
        labels=verdicts.label_change(sentence.label, member.suggested_label),
        sides=explanation_board.sides(sentence, words),
        sums=words,
        foot=(f"rank {places[id]:,} by suspicion; " if id in places else "") + f"the model says {sentence.predicted}, "
        f"{numbers.probability(sentence.probabilities[sentence.predicted])}",
        state=standing.get(id, ""),
        links=[("Review", shell.href("review", workspace=workspace, id=id))],
    )
