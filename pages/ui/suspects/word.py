"""One word: the training examples that pull against the mistakes through it, and what they should be called."""

from collections import Counter
from functools import partial

import pandas as pd

from influence.attribution import DEFAULT_METHOD
from influence.explanations import APART, WordExample, confusions, read_examples, word_confusions, word_examples
from influence.review import Evidence
from influence.workspace import LEAST_PULL
from pages.ui.frame import Session, numbers, render, shell, turn_pages
from pages.ui.parts import Chosen, bulk_bar, explanation_board, suspect_choice, suspicions, verdicts
from pages.ui.suspects import controls, members, words
from pages.ui.suspects.address import CHANGED, WordsAddress

PAGE = 25
LINKED = 3  # mistakes of an example that have a link


def draw(session: Session, address: WordsAddress) -> None:
    """The whole of it."""
    sums = words.summed(session.workspace, address.filter)
    found = word_examples(session.workspace, address.word, address.filter)
    written = next(iter(sums["written"][(sums["word"] == address.word) & ~sums["kind"].isin(APART)]), address.word)
    suggested = suspect_choice.suggested(session, list(found["train_id"])) if suspicions.known(session.workspace) else None
    if found.empty:
        asked = address.in_words()
        controls.picked("All words", address.of_word(""), "", "", key="words_back")
        render.hint(f"“{written[:100]}” pulls against no mistake{f' {asked}' if asked else ''} among the strongest influences.")
        return
    _head(session, address, sums, found, written, suggested)
    listed = list(found["train_id"])
    if address.suggested == "changed" and suggested is not None:
        listed = [id for id in listed if id in suggested]
    left = members.undecided(session, listed, address.decided)
    every = _scope(address, found, left, written, suggested)
    with controls.line(address, search="", key="word"):
        controls.folded(lambda: _filters(session, address, known=suggested is not None))
        controls.decided(address, key="word", count=len(listed) - len(left), part=1)
        if left:
            bulk_bar.review(session, every)
    if left:
        _list(session, address, found, every, left)
    elif listed:
        members.all_decided(session, len(listed))
    else:
        render.hint("None of them has another label suggested.")


def _filters(session: Session, address: WordsAddress, *, known: bool) -> None:
    words.mistakes(address, confusions(session.workspace))
    if known:
        controls.choice("Sentences", address, "suggested", CHANGED, key=words.KEY, part=1)


def _head(
    session: Session,
    address: WordsAddress,
    sums: pd.DataFrame,
    found: pd.DataFrame,
    written: str,
    suggested: dict[str, str] | None,
) -> None:
    share = found["against"].sum() / sums["against"].sum()
    through = (
        f"{numbers.probability(share)} of all pull against the mistakes{f' {asked}' if (asked := address.in_words()) else ''}"
    )
    name = f"“{' '.join(written.split())[:100]}”"
    about = f"{numbers.counted(len(found), 'sentence')}, {through}"
    controls.picked("All words", address.of_word(""), name, about, key="words_back")
    by_confusion = word_confusions(session.workspace, address.word, address.filter)
    columns = (by_confusion[name] for name in ("label", "predicted", "mistakes"))
    confused = {f"{label} taken for {predicted}": int(mistakes) for label, predicted, mistakes in zip(*columns, strict=True)}
    facts = [("Labelled", verdicts.label_counts(Counter(found["label"])))]
    if suggested:
        changes = Counter(
            f"{label} → {suggested[id]}" for id, label in zip(found["train_id"], found["label"], strict=True) if id in suggested
        )
        facts.append(("Suggested", verdicts.label_counts(changes)))
    if confused:
        facts.append(("Pushes", f"{verdicts.label_counts(confused)} (with {LEAST_PULL:.0%} of the pull or more)"))
    render.facts(facts)


def _list(session: Session, address: WordsAddress, found: pd.DataFrame, every: Chosen, left: list[str]) -> None:
    pages = max(1, -(-len(left) // PAGE))
    page = min(address.part, pages)
    shown = left[(page - 1) * PAGE : page * PAGE]
    positions = found.set_index("train_id")["position"].loc[shown].tolist()
    total = found["against"].sum()
    read = read_examples(session.workspace, address.word, positions, address.filter)
    more = {str(one.sentence.id): _more(address, one, total) for one in read}
    of = f"{session.workspace.name} word {address.word} {address.in_words()} {address.suggested} {address.decided}"
    members.draw(session, members.known(session, shown), members.List(every, of, usual=left if pages == 1 else ()), more)
    turn_pages(address, page, pages, key="words_part", field="part")


def _more(address: WordsAddress, one: WordExample, total: float) -> members.More:
    links = []
    for mistake in one.mistakes[:LINKED]:
        name = f"{mistake.label} taken for {mistake.predicted}"
        links.append((name, shell.href("explore", workspace=address.workspace, show="all", id=mistake.test_id)))
    foot = f"{numbers.probability(one.score / total)} of the word's pull; strongest against:"
    return members.More(explanation_board.sides(one.sentence, one.words), dict.fromkeys(one.words, one.score), foot, links)


def _scope(address: WordsAddress, found: pd.DataFrame, left: list[str], written: str, suggested: dict[str, str] | None) -> Chosen:
    origin = {"kind": "word", "word": address.word, "label": address.label or None, "predicted": address.predicted or None}
    return Chosen(
        ids=lambda: left,
        count=len(left),
        origin=origin,
        queue_name=f"Word: {' '.join(written.split())} {address.in_words()}".strip(),
        suggested=None if suggested is None else partial(_suggestions, suggested),
        evidence=partial(_evidence, found, written, suggested or {}),
        words=(written,),
        masked=(written,),
    )


def _suggestions(suggested: dict[str, str], ids: list[str]) -> dict[str, str]:
    return {id: suggested[id] for id in ids if id in suggested}


def _evidence(found: pd.DataFrame, written: str, suggested: dict[str, str], ids: list[str]) -> dict[str, Evidence]:
    """What is known of each example, for the log and the fix list's reasons."""
    wanted, evidence, total = set(ids), {}, found["against"].sum()
    for id, against in zip(found["train_id"], found["against"], strict=True):
        if id in wanted:
            reason = f"{numbers.probability(against / total)} of the pull against test mistakes through “{written}”"
            details = {"reason": reason, "word": written, "suggested_label": suggested.get(id)}
            evidence[id] = Evidence(method=DEFAULT_METHOD, score=against, details=details)
    return evidence
