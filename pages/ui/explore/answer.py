"""What Explore asks of a sentence, and the answer in sentences that claim no more than the scores do."""

from collections.abc import Collection, Mapping

import streamlit as st

import influence
from influence import METHODS, Explanation, Influence
from influence.explanations import WordPieces, word_sums
from influence.suspects import SuspectFilter, suspects
from pages.ui.frame import numbers
from pages.ui.parts import explanation_board, suspicions

LONGEST = 160  # characters of an example's text
FEW = 3  # words
SMALL = 0.05  # the share of a pull from which a word is named


def question(found: Explanation) -> str:
    """What the scores answer: why the model said what it said, what speaks for another label, or what a control finds."""
    query, asked = found.query, found.label
    if METHODS[found.method].drawn:
        return "What would chance pick?"
    if not METHODS[found.method].signed:
        return "Which training texts are most like it?"
    if asked == query.predicted:
        return f"Why did it say {asked}?" if query.label else f"Why does it say {asked}?"
    return f"Why did it say {query.predicted}, not {asked}?" if asked == query.label else f"What speaks for {asked}?"


def prediction(found: Explanation) -> str:
    """What the model says, and the label where there is one."""
    query = found.query
    says = f"The model says {query.predicted} ({numbers.probability(query.probabilities[query.predicted])})"
    if not query.label:
        return f"{says}."
    if query.label == query.predicted:
        return f"{says}, and so does the label."
    return f"{says}; the label is {query.label} ({numbers.probability(query.probabilities[query.label])})."


def sentences(found: Explanation, pieces: WordPieces, doubts: Mapping[str, str] | None) -> list[str]:
    """What speaks for it: the strongest example, the words, start and end tokens, and how many labels are in doubt.

    `doubts`: the labels suggested for those examples whose own is in doubt; None where nobody has looked.
    """
    against = explanation_board.answers_by_opponents(found)
    ones = found.opponents if against else found.proponents
    if not ones:
        return ["By this method, no training example speaks for it."]
    said = [_strongest(found, ones[0], pieces, against=against)]
    if METHODS[found.method].words:
        said += _words(found, ones, pieces)
    return [*said, *_doubts(ones, doubts)]


def doubted(workspace: influence.Workspace) -> dict[str, str] | None:
    """The labels that Suspects suggests, by the training examples whose own it doubts; None where it was never computed."""
    return _doubted(workspace) if suspicions.known(workspace) else None


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={influence.Workspace: suspicions.published_file})
def _doubted(workspace: influence.Workspace) -> dict[str, str]:
    _, rows = suspects(workspace, SuspectFilter(changed=True), limit=workspace.info.n_train)
    return {str(id): str(label) for id, label in zip(rows["train_id"], rows["suggested_label"], strict=True)}


def _strongest(found: Explanation, one: Influence, pieces: WordPieces, *, against: bool) -> str:
    text = " ".join(one.train.text.split())
    shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rsplit(' ', 1)[0]}…"
    quoted = f"“{shown}” (labelled {one.train.label})"
    if METHODS[found.method].drawn:
        return f"A control: examples drawn at random, {quoted} first."
    if not METHODS[found.method].signed:
        return f"A control: by its words alone, the most alike is {quoted}. It knows nothing of the model."
    words = _named(found, {word: score for word, score in one.test_words().items() if score * one.score > 0}, [one], pieces)
    through = f", through {_listed([name for name, _ in words[:2]])}" if words else ""
    return f"What speaks {'against' if against else 'for'} {found.label} most is {quoted}{through}."


def _words(found: Explanation, ones: list[Influence], pieces: WordPieces) -> list[str]:
    """Over all on one side: the words with their shares; what is left goes through other words, start and end tokens."""
    total = sum(one.score for one in ones)
    special = sum(one.special_score for one in ones) / total
    ranked = {word: score for word, score in word_sums(ones).items() if score / total >= SMALL}
    named = _named(found, ranked, ones, pieces)[:FEW]
    said = []
    if named:
        shares = _listed([f"{name} ({score / total:.0%})" for name, score in named])
        said.append(f"The {len(ones)} strongest pull through {shares}." if len(ones) > 1 else f"It pulls through {shares}.")
        if all(pieces.says_little(found.query, word) for word in ranked if found.query.words[word].side >= 0):
            said.append("Common words like these say little about what a text means.")
    through = f"goes through {explanation_board.SPECIAL}, which every text has"
    if special > 0.5:
        said.append(f"Most of the pull, {min(special, 1):.0%}, {through}: words explain little.")
    elif special > explanation_board.NOISE:
        said.append(f"{special:.0%} of the pull {through}.")
    return said


def _named(
    found: Explanation, scores: Mapping[int, float], ones: Collection[Influence], pieces: WordPieces
) -> list[tuple[str, float]]:
    """Words of the sentence and their scores, the strongest first, telling words before common ones.

    A word that matches in a piece only is called by that; start and end tokens are left out.
    """
    partial, query = pieces.shared_by(found.query, ones), found.query
    sums: dict[str, float] = {}
    common: set[str] = set()
    for word, score in scores.items():
        if query.words[word].side < 0:
            continue
        name = f"“{query.words[word].text}”"
        if word in partial:
            name = f"the piece {explanation_board.part_names(query, {word: partial[word]})[0]}"
        elif pieces.says_little(query, word):
            common.add(name)
        sums[name] = sums.get(name, 0.0) + score
    return sorted(sums.items(), key=lambda item: (item[0] in common, -abs(item[1])))


def _doubts(ones: Collection[Influence], doubts: Mapping[str, str] | None) -> list[str]:
    """How many of the labels are in doubt: by Suspects, and where that was never computed by the model alone."""
    if doubts is None:
        count = sum(one.train.predicted != one.train.label for one in ones)
        return [f"The model itself says another label for {count} of these {len(ones)}."] if count else []
    count = sum(str(one.train.id) in doubts for one in ones)
    return [f"Suspects doubts the label of {count} of these {len(ones)}." if count else "Suspects doubts none of their labels."]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
