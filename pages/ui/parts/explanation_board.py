"""The explanation on screen: a component that lays out the test sentence and its cards, and the data it is given.

The component's JavaScript is ours and puts every text in place by `textContent`; nothing here makes HTML.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypedDict

from influence import METHODS, CheckpointInfo, Explanation, Influence, Sentence
from influence.explanations import Spans, WordPieces, word_totals
from pages.ui.frame import component, numbers
from pages.ui.parts.payloads import FOLDED, FOLDED_UNREAD, SHOWN, UNREAD, Piece, Scores, shares, stamped

FOLD_FROM = 320  # characters of a text, from which what lies far from any lit word is folded away
MARGIN = 70  # characters kept beside a lit word
MOST_WORDS = 12  # in the list of what carries a score
NOISE = 0.05  # the share of a score up to which start and end tokens are no more than noise
SPECIAL = "start and end tokens"
MEANINGS = (
    "A training step on each of these made “{label}” more likely here.",
    "A training step on each of these made “{label}” less likely here.",
)
LEFT_OUT = "Left out, and the {layer} layer fitted again, “{{label}}” would become {how} likely here."
LIKE = "These texts have words of this sentence, and rare words count more. A control: it knows nothing of the model."
OTHER_MEANINGS = {  # of the methods whose scores are not about a training step
    "influence-last": (LEFT_OUT.format(layer="last", how="less"), LEFT_OUT.format(layer="last", how="more")),
    "influence-second": (LEFT_OUT.format(layer="second", how="less"), LEFT_OUT.format(layer="second", how="more")),
    "bm25": (LIKE, ""),
    "tfidf": (LIKE, ""),
    "representer": ("Each raises the model's output for “{label}” here.", "Each lowers the model's output for “{label}” here."),
}

_component = component("board", "parts/explanation_board")
Bar = tuple[str, str, float]  # what carries a part of a score, its share in print, and its bar from -1 to 1


class Texts(TypedDict):
    """One example's text, or two, in pieces."""

    sides: list[list[Piece]]
    cut: bool  # whether the model never read some of it


class Card(Texts):
    """One training example; `matches` are the pairs of a test and a training word that carry its score."""

    id: str | None
    rank: int
    share: str  # of the strongest score shown
    raw: str
    bar: float
    label: str | None
    says: str
    doubt: str  # the label that Suspects suggests
    rest: str
    note: str
    foot: str
    state: str
    matches: list[tuple[int, int]]
    sums: Scores  # by its own words
    query_sums: Scores  # by the test sentence's words
    words: list[Bar]
    checkpoints: list[Bar]


class Column(TypedDict):
    """Proponents, or opponents."""

    kind: str
    title: str
    name: str
    meaning: str
    empty: str
    cards: list[Card]


def board(
    columns: list[Column],
    *,
    label: str,
    about: str,
    pinned: str,
    review: str,
    key: str,
    on_choose: Callable[[], None],
    choices: int = 0,
) -> None:
    """Draw an explanation. A choice of a card reruns with its training id, or "" for none, as `chosen` of the key's state.

    `choices` is how many there have been: a card opens in the browser at once, which draws nothing for content that is the
    same as before, as it is where a choice was taken back before it was drawn. Each card links to `review` with its id at the
    end. `about` is what a sentence component on the page is given, too: the two then light each other's words.
    """
    content = stamped({"columns": columns, "label": label, "about": about})
    _component(key=key, data={**content, "pinned": pinned, "choices": choices, "review": review}, on_chosen_change=on_choose)


def columns_of(
    found: Explanation, pieces: WordPieces, doubts: Mapping[str, str], checkpoints: Collection[CheckpointInfo]
) -> list[Column]:
    """Proponents and opponents, those first that answer why the model says what it says.

    `doubts`: the labels suggested for those examples whose own is in doubt.
    """
    most = max((abs(one.score) for one in (*found.proponents, *found.opponents)), default=0.0)
    made: list[Column] = []
    for kind, name, ones in (("plus", "proponents", found.proponents), ("minus", "opponents", found.opponents)):
        cards = [_card(rank, one, found, most, pieces, doubts, checkpoints) for rank, one in enumerate(ones, start=1)]
        made.append(
            {
                "kind": kind,
                "title": _title(found, kind),
                "name": name,
                "meaning": _meaning(found, kind),
                "empty": f"No {name}: by this method no training sentence pulls this way. Where a method compares words, that "
                "means no word is shared.",
                "cards": cards,
            }
        )
    return made[::-1] if answers_by_opponents(found) else made


def answers_by_opponents(found: Explanation) -> bool:
    """Whether what made the model say what it says stands among the opponents: of a wrong prediction's own label."""
    return METHODS[found.method].signed and found.label == found.query.label != found.query.predicted


def sides(sentence: Sentence, lit: Collection[int], parts: Mapping[int, Spans] | None = None) -> list[list[Piece]]:
    """The texts of a sentence in pieces, of which the given words can be lit; nothing is folded away yet.

    `parts`: of words of which only a part is lit, that part.
    """
    found = []
    for side, text in enumerate([sentence.text] + ([sentence.text_pair] if sentence.text_pair is not None else [])):
        words = {i: (word.start, word.end) for i, word in enumerate(sentence.words) if word.side == side}
        read_to = max((end for _, end in words.values()), default=0) if sentence.truncated else len(text)
        spans = [(i, *span) for i, whole in words.items() if i in lit for span in (parts or {}).get(i, (whole,))]
        found.append(pieces_of(text, spans, read_to=read_to))
    return found


def texts_of(sentence: Sentence, lit: Collection[int], parts: Mapping[int, Spans]) -> Texts:
    """A sentence's texts as components show them, what lies far from any lit word folded away."""
    pieces = [fold(side) for side in sides(sentence, lit, parts)]
    return {"sides": pieces, "cut": any(piece[2] in (UNREAD, FOLDED_UNREAD) for side in pieces for piece in side)}


def part_names(sentence: Sentence, parts: Mapping[int, Spans]) -> list[str]:
    """Words of which a part is lit, as “good” of “gooding”, each once."""
    found = []
    for word, spans in parts.items():
        whole = sentence.words[word]
        text = sentence.text if whole.side == 0 else sentence.text_pair or ""
        found.append(f"“{'…'.join(text[start:end] for start, end in spans)}” of “{whole.text}”")
    return list(dict.fromkeys(found))


def _title(found: Explanation, kind: str) -> str:
    if not METHODS[found.method].signed:
        return "Most alike" if kind == "plus" else "Least alike"
    return f"Towards “{found.label}”" if kind == "plus" else f"Away from “{found.label}”"


def _meaning(found: Explanation, kind: str) -> str:
    """What a score on this side of 0 means."""
    if METHODS[found.method].drawn:
        return "A control, drawn at random: it says nothing about this sentence."
    if not METHODS[found.method].signed and kind == "minus":
        return "A likeness of texts names no opponents."
    return OTHER_MEANINGS.get(found.method, MEANINGS)[kind == "minus"].format(label=found.label)


def _card(
    rank: int,
    one: Influence,
    found: Explanation,
    most: float,
    pieces: WordPieces,
    doubts: Mapping[str, str],
    checkpoints: Collection[CheckpointInfo],
) -> Card:
    train, share = one.train, abs(one.score) / most if most else 0.0
    query_parts, parts = pieces.shared(found.query, one)
    partial = (part_names(train, parts) or part_names(found.query, query_parts))[:3]
    return {
        "id": train.id,
        "rank": rank,
        "share": numbers.probability(share),
        "raw": numbers.score(one.score),
        "bar": round(share, 3),
        "label": train.label,
        "says": f"{train.predicted} {numbers.probability(train.probabilities[train.predicted])}"
        if train.predicted != train.label
        else "",
        "doubt": doubts.get(str(train.id), ""),
        "rest": rest(one.special_score, one.score) if one.matches else "",
        "note": f"Only a piece of a word matches: {', '.join(partial)}." if partial else "",
        "foot": "",
        "state": "",
        "matches": [(match.test_word, match.train_word) for match in one.matches],
        "sums": shares(one.train_words(), one.score),
        "query_sums": shares(one.test_words(), one.score),
        "words": _words(one, found.query),
        "checkpoints": _bars(
            {point.name: score for point, score in zip(checkpoints, one.checkpoint_scores, strict=True)}, one.score
        ),
        **texts_of(train, {match.train_word for match in one.matches}, parts),
    }


def rest(special: float, whole: float) -> str:
    """What start and end tokens carry of a score, in words; "" where it is no more than noise."""
    part = special / whole if whole else 0.0
    if abs(part) <= NOISE:
        return ""
    if part < 0:
        return f"Start and end tokens pull the other way ({numbers.share(special, whole)})."
    return f"All of it goes through {SPECIAL}." if part > 1 - NOISE else f"The rest, {part:.0%}, goes through {SPECIAL}."


def _words(one: Influence, query: Sentence) -> list[Bar]:
    """The parts of a pair's score by the words of the test sentence; they sum to all of it."""
    totals = {word: score for word, score in word_totals(query, one.test_words()).items() if score}
    ranked = sorted(totals.items(), key=lambda item: -abs(item[1]))
    shown = dict(ranked if len(ranked) <= MOST_WORDS else ranked[: MOST_WORDS - 1])
    if len(ranked) > len(shown):
        shown[f"{len(ranked) - len(shown)} other words"] = sum(score for _, score in ranked[len(shown) :])
    return _bars(shown | ({SPECIAL: one.special_score} if one.special_score else {}), one.score)


def _bars(parts: Mapping[str, float], whole: float) -> list[Bar]:
    most = max(map(abs, parts.values()), default=0.0)
    return [(name, numbers.share(part, whole), round(part / most, 3) if most else 0.0) for name, part in parts.items()]


def pieces_of(text: str, spans: Iterable[tuple[int, int, int]], *, read_to: int) -> list[Piece]:
    """A text in pieces that join to it exactly: lit words, each with its characters, the rest, and what was cut off."""
    pieces: list[Piece] = []
    at = 0
    for word, start, end in sorted(spans, key=lambda span: span[1:]):
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
