"""One word: the training examples that pull against the mistakes through it, what they should be called, and the actions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from influence.attribution import DEFAULT_METHOD
from influence.explanations import APART, WordExample, read_examples, word_confusions, word_examples
from influence.review import Evidence
from pages.ui.frame import Session, bind, go, numbers, render, shell, turn_pages
from pages.ui.parts import Chosen, Row, bulk_bar, explanation_board, rows, suspect_choice, suspicions, verdicts
from pages.ui.words.address import SUGGESTED, WordsAddress
from pages.ui.words.listing import total

PAGE = 25
ROWS = "words_rows"
LINKED = 3  # mistakes of an example that have a link


def draw(session: Session, address: WordsAddress, sums: pd.DataFrame, mistakes: Callable[[], None]) -> None:
    """The whole of it."""
    found = word_examples(session.workspace, address.word, address.filter)
    written = next(iter(sums["written"][(sums["word"] == address.word) & ~sums["kind"].isin(APART)]), address.word)
    suggested = suspect_choice.suggested(session, list(found["train_id"])) if suspicions.known(session.workspace) else None
    with st.container(horizontal=True, vertical_alignment="bottom", key="wt-filters"):
        st.button("All words", icon=":material/list:", key="words_back", on_click=go, args=(address.of_word(""),))
        mistakes()
        if suggested is not None:
            binding = bind(address, "suggested", "words_suggested", part=1)
            st.segmented_control("Examples", list(SUGGESTED), format_func=SUGGESTED.__getitem__, required=True, **binding)
    if found.empty:
        asked = address.in_words()
        render.hint(f"“{written[:100]}” pulls against no mistake{f' {asked}' if asked else ''} among the strongest influences.")
        return
    _head(session, address, found, written, suggested)
    if address.suggested == "changed" and suggested is not None:
        found = found[found["train_id"].isin(suggested)]
    if found.empty:
        render.hint("None of them has another label suggested.")
        return
    _list(session, address, found, written, suggested)


def _head(session: Session, address: WordsAddress, found: pd.DataFrame, written: str, suggested: dict[str, str] | None) -> None:
    by_confusion = word_confusions(session.workspace, address.word, address.filter)
    count = int(by_confusion["mistakes"].sum())
    shown = " ".join(written.split())[:100]
    render.heading(
        f"“{shown}” pulls {total(found['against'].sum())} against {numbers.counted(count, 'mistake')}, "
        f"through {numbers.counted(len(found), 'example')}"
    )
    columns = (by_confusion[name] for name in ("label", "predicted", "mistakes"))
    confused = {f"{label} taken for {predicted}": int(mistakes) for label, predicted, mistakes in zip(*columns, strict=True)}
    facts = [("Mistakes", verdicts.label_counts(confused)), ("Given labels", verdicts.label_counts(Counter(found["label"])))]
    if suggested:
        changes = Counter(
            f"{label} → {suggested[id]}" for id, label in zip(found["train_id"], found["label"], strict=True) if id in suggested
        )
        facts.append(("Suggested", verdicts.label_counts(changes)))
    render.facts(facts)


def _list(session: Session, address: WordsAddress, found: pd.DataFrame, written: str, suggested: dict[str, str] | None) -> None:
    ids = list(found["train_id"])
    key = f"wt_words_chosen_{session.workspace.name}"
    inside = set(ids)
    chosen = [id for id in st.session_state.get(key, ()) if id in inside]
    pages = max(1, -(-len(found) // PAGE))
    page = min(address.part, pages)
    shown = found.iloc[(page - 1) * PAGE : page * PAGE]
    with bulk_bar.draw(session, _scopes(session, address, found, chosen, written, suggested), key="word"):
        rows.choosing("words", key, list(shown["train_id"]), chosen)
    standing = verdicts.standing(session.reviews, list(shown["train_id"]))
    read = read_examples(session.workspace, address.word, shown["position"].tolist(), address.filter)
    places = {} if suggested is None else suspicions.ranks(session.workspace, list(shown["train_id"]))
    lines = [_row(address, one, standing, suggested or {}, places) for one in read]
    rows.draw(lines, key=ROWS, chosen=chosen, on_tick=partial(rows.tick, ROWS, key))
    turn_pages(address, page, pages, key="words_part", field="part")


def _scopes(
    session: Session,
    address: WordsAddress,
    found: pd.DataFrame,
    chosen: list[str],
    written: str,
    suggested: dict[str, str] | None,
) -> list[Chosen]:
    ids = list(found["train_id"])
    origin = {"kind": "word", "word": address.word, "label": address.label or None, "predicted": address.predicted or None}
    whole = Chosen(
        key="word",
        name=f"all {len(ids):,}",
        ids=lambda: ids,
        count=len(ids),
        origin=origin,
        queue_name=f"Word: {' '.join(written.split())} {address.in_words()}".strip(),
        suggested=None if suggested is None else partial(_suggestions, suggested),
        evidence=partial(_evidence, found, written, suggested or {}),
        words=(written,),
        masked=(written,),
    )
    if not chosen:
        return [whole]
    picked = replace(
        whole,
        key="chosen",
        name=f"{len(chosen):,} chosen",
        ids=lambda: chosen,
        count=len(chosen),
        origin={**origin, "chosen": True},
    )
    return [picked, whole]


def _suggestions(suggested: dict[str, str], ids: list[str]) -> dict[str, str]:
    return {id: suggested[id] for id in ids if id in suggested}


def _evidence(found: pd.DataFrame, written: str, suggested: dict[str, str], ids: list[str]) -> dict[str, Evidence]:
    """What is known of each example, for the log and the fix list's reasons."""
    wanted, evidence = set(ids), {}
    for id, against, count in zip(found["train_id"], found["against"], found["mistakes"], strict=True):
        if id in wanted:
            reason = f"pulls against {numbers.counted(count, 'test mistake')} through “{written}”"
            details = {"reason": reason, "word": written, "suggested_label": suggested.get(id)}
            evidence[id] = Evidence(method=DEFAULT_METHOD, score=against, details=details)
    return evidence


def _row(
    address: WordsAddress,
    one: WordExample,
    standing: dict[str, str],
    suggested: dict[str, str],
    places: dict[str, int],
) -> Row:
    sentence, count = one.sentence, len(one.mistakes)
    id = str(sentence.id)
    links = []
    for mistake in one.mistakes[:LINKED]:
        name = f"{mistake.label} taken for {mistake.predicted}, {numbers.score(mistake.score)}"
        links.append((name, shell.href("explore", workspace=address.workspace, show="all", id=mistake.test_id)))
    links.append(("Review", shell.href("review", workspace=address.workspace, id=id)))
    says = numbers.probability(sentence.probabilities[sentence.predicted])
    doubt = f"; rank {places[id]:,} by suspicion" if id in places else ""
    these = f"{numbers.counted(count, 'mistake')}"
    return rows.row(
        id,
        labels=verdicts.label_change(sentence.label, suggested.get(id)),
        sides=explanation_board.sides(sentence, one.words),
        sums=dict.fromkeys(one.words, one.score),
        reason=f"{total(one.score)} against {these}; the model says {sentence.predicted}, {says}{doubt}",
        foot="hits hardest:" if count > LINKED else "hits:",
        state=standing.get(id, ""),
        links=links,
    )
