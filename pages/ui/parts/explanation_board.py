"""The explanation on screen: a component that lays out the test sentence and its cards, and the data it is given.

The component's JavaScript is ours and puts every text in place by `textContent`; nothing here makes HTML.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypedDict

from influence import METHODS, Explanation, Influence, Sentence
from pages.ui.frame import component, numbers
from pages.ui.parts.payloads import FOLDED, FOLDED_UNREAD, SHOWN, UNREAD, Piece, Scores, scores, stamped

FOLD_FROM = 320  # characters of a text, from which what lies far from any lit word is folded away
MARGIN = 70  # characters kept beside a lit word
MEANINGS = (
    "a training step on it lowered the loss on “{label}” here.",
    "a training step on it raised the loss on “{label}” here.",
)
OTHER_MEANINGS = {  # of the methods whose scores are not about a training step
    "influence-last": (
        "left out, and the last layer fitted again, the loss on “{label}” here would rise by about so many nats.",
        "left out, and the last layer fitted again, the loss on “{label}” here would fall by about so many nats.",
    ),
    "influence-second": (
        "left out, and the second layer fitted again, the loss on “{label}” here would rise by about so many nats.",
        "left out, and the second layer fitted again, the loss on “{label}” here would fall by about so many nats.",
    ),
    "bm25": ("a control that knows only the texts: it has words of this sentence, and rare words count more.", ""),
    "tfidf": ("a control that knows only the texts: it has words of this sentence, and rare words count more.", ""),
    "representer": ("it raises the logit of “{label}” here.", "it lowers the logit of “{label}” here."),
}

_component = component("board", "parts/explanation_board")


class Texts(TypedDict):
    """One example's text, or two, in pieces; `ends` are its lit start and end tokens with their words' indices."""

    sides: list[list[Piece]]
    ends: list[tuple[int, str]]
    cut: bool  # whether the model never read some of it


class Query(Texts):
    """The sentence that is explained; `sums` over all the cards shown."""

    title: str
    sums: Scores


class Card(Texts):
    """One training example; `matches` are the pairs of a test and a training word that carry its score."""

    id: str | None
    rank: int
    score: str
    bar: float
    label: str | None
    says: str
    special: str
    matches: list[tuple[int, int]]
    sums: Scores  # by its own words
    query_sums: Scores  # by the test sentence's words


class Column(TypedDict):
    """Proponents, or opponents."""

    kind: str
    title: str
    meaning: str
    detail: str
    empty: str
    cards: list[Card]


class Content(TypedDict):
    """All that is shown."""

    query: Query
    columns: list[Column]


def board(found: Explanation, *, title: str, pinned: str, review: str, on_choose: Callable[[], None], key: str) -> None:
    """Draw an explanation. A choice of a card reruns with its training id, or "" for none, as `chosen` of the key's state.

    Each card links to `review` with its id at the end.
    """
    _component(key=key, data={**payload(found, title=title), "pinned": pinned, "review": review}, on_chosen_change=on_choose)


def payload(found: Explanation, *, title: str) -> dict[str, Any]:
    """Everything the component shows but the pinned card; `stamp` is equal for equal content."""
    shown = [*found.proponents, *found.opponents]
    sums = word_sums(shown)
    most = max((abs(influence.score) for influence in shown), default=0.0)
    above, below = _meanings(found)
    content: Content = {
        "query": {"title": title, **_texts(found.query, set(sums)), "sums": scores(sums)},
        "columns": [
            _column("plus", "Proponents", above, found.proponents, most),
            _column("minus", "Opponents", below, found.opponents, most),
        ],
    }
    return stamped(content)


def word_sums(influences: Iterable[Influence]) -> dict[int, float]:
    """Contribution of each word of the test sentence, summed over some training examples."""
    sums: dict[int, float] = {}
    for influence in influences:
        for word, score in influence.test_words().items():
            sums[word] = sums.get(word, 0.0) + score
    return sums


def sides(sentence: Sentence, lit: Collection[int]) -> list[list[Piece]]:
    """The texts of a sentence in pieces, of which the given words can be lit; nothing is folded away yet."""
    found = []
    for side, text in enumerate([sentence.text] + ([sentence.text_pair] if sentence.text_pair is not None else [])):
        words = {i: (word.start, word.end) for i, word in enumerate(sentence.words) if word.side == side}
        read_to = max((end for _, end in words.values()), default=0) if sentence.truncated else len(text)
        found.append(pieces_of(text, {i: span for i, span in words.items() if i in lit}, read_to=read_to))
    return found


def _meanings(found: Explanation) -> tuple[str, str]:
    """What a score above 0 means, and one below."""
    if METHODS[found.method].drawn:
        control = "0. A control: drawn at random, it says nothing about this sentence."
        return f"Above {control}", f"Below {control}"
    if not METHODS[found.method].signed:
        return (f"Above 0: {OTHER_MEANINGS[found.method][0]}", "A likeness of texts names no opponents.")
    above, below = (meaning.format(label=found.label) for meaning in OTHER_MEANINGS.get(found.method, MEANINGS))
    if found.method not in OTHER_MEANINGS and found.label == found.query.label != found.query.predicted:
        below += f" What taught the model “{found.query.predicted}” stands here."
    return f"Above 0: {above}", f"Below 0: {below}"


def _column(kind: str, title: str, meaning: str, influences: list[Influence], most: float) -> Column:
    total = sum(influence.score for influence in influences)
    return {
        "kind": kind,
        "title": title,
        "meaning": meaning,
        "detail": f"sum of these {len(influences)}: {numbers.score(total)}" if influences else "",
        "empty": f"No {title.lower()}: by this method no training sentence has a score on this side of 0. "
        "Where a method compares words, that means no word is shared.",
        "cards": [_card(rank, influence, most) for rank, influence in enumerate(influences, start=1)],
    }


def _card(rank: int, influence: Influence, most: float) -> Card:
    train = influence.train
    says = (
        f"{train.predicted} {numbers.probability(train.probabilities[train.predicted])}" if train.predicted != train.label else ""
    )
    return {
        "id": train.id,
        "rank": rank,
        "score": numbers.score(influence.score),
        "bar": round(abs(influence.score) / most, 3) if most else 0,
        "label": train.label,
        "says": says,
        "special": numbers.share(influence.special_score, influence.score) if influence.matches else "",
        "matches": [(match.test_word, match.train_word) for match in influence.matches],
        "sums": scores(influence.train_words()),
        "query_sums": scores(influence.test_words()),
        **_texts(train, {match.train_word for match in influence.matches}),
    }


def _texts(sentence: Sentence, lit: set[int]) -> Texts:
    ends = [(index, word.text) for index, word in enumerate(sentence.words) if word.side < 0 and index in lit]
    pieces = [fold(side) for side in sides(sentence, lit)]
    return {"sides": pieces, "ends": ends, "cut": any(piece[2] in (UNREAD, FOLDED_UNREAD) for side in pieces for piece in side)}


def pieces_of(text: str, spans: Mapping[int, tuple[int, int]], *, read_to: int) -> list[Piece]:
    """A text in pieces that join to it exactly: its lit words by their character spans, the rest, and what was cut off."""
    pieces: list[Piece] = []
    at = 0
    for word, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        pieces += [(text[at:start], -1, SHOWN), (text[start:end], word, SHOWN)]
        at = end
    read_to = max(read_to, at)
    tail = text[read_to:]
    pieces += [(text[at:read_to], -1, SHOWN), (tail, -1, UNREAD if tail.strip() else SHOWN)]
    return [piece for piece in pieces if piece[0]]


def fold(pieces: list[Piece]) -> list[Piece]:
    """Fold away what lies far from any lit word, where the text is long."""
    if sum(len(text) for text, _, _ in pieces) < FOLD_FROM:
        return pieces
    folded: list[Piece] = []
    for number, (text, word, kind) in enumerate(pieces):
        # A text's first words say what it is about, so they stay.
        head = MARGIN
        tail = MARGIN if number + 1 < len(pieces) and pieces[number + 1][1] >= 0 else 0
        if word >= 0 or len(text) < head + tail + MARGIN:
            folded.append((text, word, kind))
            continue
        first, last = _break_before(text, head), len(text) - _break_before(text[::-1], tail)
        folded += [
            (text[:first], word, kind),
            (text[first:last], word, FOLDED_UNREAD if kind == UNREAD else FOLDED),
            (text[last:], word, kind),
        ]
    return [piece for piece in folded if piece[0]]


def _break_before(text: str, limit: int) -> int:
    """The last space within `limit` characters; where there is none, about `limit`, between two signs and not inside one."""
    space = text.rfind(" ", 0, limit)
    if space > 0:
        return space
    while 0 < limit < len(text) and (_is_joint(text[limit]) or _is_joint(text[limit - 1])):
        limit -= 1
    return limit


def _is_joint(character: str) -> bool:
    """Whether a character makes one sign with its neighbours: combining marks, joiners, skin tones, halves of a flag."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf", "Sk") or "\U0001f1e6" <= character <= "\U0001f1ff"
