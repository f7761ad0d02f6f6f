"""The sentence that is explained: it stays in view whatever stands below it, and its words light up by what is pointed at."""

from collections.abc import Collection
from typing import TypedDict

from influence import Explanation, Influence, Sentence
from influence.explanations import WordPieces, word_sums
from pages.ui.frame import component, numbers
from pages.ui.parts import Scores, explanation_board, payloads, stamped

KEY = "wt-sentence"  # of the container that app.css keeps in view

_component = component("sentence", "explore/sentence")


class Content(TypedDict):
    """What the component is given, with the pieces of the text; `sums` over all the training examples shown."""

    title: str
    label: str
    says: str
    wrong: bool
    about: str
    sums: Scores


def draw(found: Explanation, pieces: WordPieces, *, title: str, about: str, shown: Collection[Influence]) -> None:
    """The sentence, lit by the sum over the training examples shown. `about` is what the board below it is given, too."""
    query, sums = found.query, word_sums(shown)
    content: Content = {
        "title": title,
        "label": query.label,
        "says": f"{query.predicted} {numbers.probability(query.probabilities[query.predicted])}",
        "wrong": bool(query.label) and query.label != query.predicted,
        "about": about,
        "sums": _shares(query, sums),
    }
    texts = explanation_board.texts_of(query, set(sums), pieces.shared_by(query, shown))
    _component(key="explore_sentence", data=stamped({**content, **texts}))


def _shares(query: Sentence, sums: dict[int, float]) -> Scores:
    """The words' sums, each named by its share of the strongest word's."""
    lit = {word: score for word, score in sums.items() if query.words[word].side >= 0}
    most = max(map(abs, lit.values()), default=0.0)
    return {
        str(word): (payloads.short(score), f"{numbers.probability(abs(score) / most)} of the strongest word" if most else "")
        for word, score in lit.items()
    }
