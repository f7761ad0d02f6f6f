"""The HTML of cards. Whatever comes from data is escaped here, and nothing runs.

Notebooks differ in what they let through: an attribute `style` mostly, a style sheet seldom, a script never; GitHub nothing but
the elements. So all style is inline, the sign of a word is also in its underline (solid or dotted), its title and the list below
the text, and no colour is chosen for a background: letters take the notebook's own colour, light or dark, and what is lit
is a veil over what lies behind it.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

PLUS, MINUS = "#2f7fc9", "#d9730d"  # the app's blue and orange, which are told from both a light and a dark background
VEIL = 0.45  # of the strongest word, as in the app
MOST_WORDS = 8  # in the list below a text
LINE = "1px solid rgba(128,128,128,.35)"
QUIET = "opacity:.78;font-size:.85em"
CHIP = "padding:0 .4em;border-radius:3px;background:rgba(128,128,128,.2);font-weight:600"

Span = tuple[int, int, float]  # first character, the one after the last, and what the word carries


class Example(NamedTuple):
    """A training example and its score; `sides` are its text, or two, each with the words that carry the score."""

    id: str
    score: float
    label: str
    predicted: str
    sides: Sequence[tuple[str, Sequence[Span]]]
    words: Mapping[str, float]  # of the explained sentence, what each carries; with what start and end tokens do, the score


class Question(NamedTuple):
    """What is explained: the loss of a sentence on a label, by a method."""

    id: str | None
    sides: Sequence[str]
    label: str
    predicted: str
    probability: float | None  # of the predicted label
    method: str


def explained(question: Question, proponents: Sequence[Example], opponents: Sequence[Example]) -> str:
    """An explanation: the sentence, and its proponents and opponents side by side where there is room."""
    sure = "" if question.probability is None else f" {question.probability:.0%}"
    name = "" if question.id is None else f" · {_quiet(question.id)}"
    head = f"The model says {_chip(question.predicted)}{sure}; explained is the loss on {_chip(question.label)} by "
    columns = (_column(question, "proponent", proponents), _column(question, "opponent", opponents))
    return _whole(
        f'<div style="border:{LINE};border-radius:6px;padding:.5em .8em">'
        f"{''.join(_text(side, ()) for side in question.sides)}"
        f"<div>{head}<code>{escape(question.method)}</code>{name}</div></div>"
        f'<div style="display:flex;flex-wrap:wrap;gap:0 1.2em">{"".join(columns)}</div>'
    )


def suspected(rows: Iterable[Mapping[Hashable, Any]], *, more: int) -> str:
    """Training examples whose label is in doubt, each with the label suggested and what speaks against its own."""
    cards = []
    for row in rows:
        labels = f"labelled {_chip(row['label'])}"
        if row["suggested_label"] != row["label"]:
            labels += f" → suggested {_chip(row['suggested_label'])}"
        head = f"{labels} · suspicion <b>{_number(row['suspicion'], '.2f')}</b> · {_quiet(row['train_id'])}"
        texts = "".join(_text(side, ()) for side in (row["text"], row.get("text_pair")) if isinstance(side, str))
        cards.append(_card(MINUS, f"<div>{head}</div>{texts}<div>{_quiet(row['reason'])}</div>"))
    return _whole("".join(cards) + rest(more))


def rest(count: int) -> str:
    """What is said where a frame has more rows than cards are drawn; "" where it has not."""
    return f"<div>{_quiet(f'and {count:,} more rows of this frame')}</div>" if count else ""


def signed(value: float) -> str:
    """A score with its sign and three digits, an exact zero without."""
    return "0" if value == 0 else f"{value:+.3g}".replace("-", "−")


def _whole(content: str) -> str:
    return f'<div style="line-height:1.5;max-width:80em;text-align:left">{content}</div>'


def _column(question: Question, kind: str, examples: Sequence[Example]) -> str:
    colour, title, meaning = _side(question, kind == "proponent")
    count = f"{len(examples)} {kind}{'' if len(examples) == 1 else 's'}"
    name = f'<b style="border-bottom:3px solid {colour}">{escape(title)}</b>'
    head = f'<div style="margin-top:.6em">{name} · {count}<br>{_quiet(meaning)}</div>'
    cards = "".join(_card(colour, _example(example)) for example in examples)
    return f'<div style="flex:1 1 22em;min-width:0">{head}{cards}</div>'


def _side(question: Question, above: bool) -> tuple[str, str, str]:
    """Its colour, its title, and what a score there means; of methods that ask no training step, no more than the sign."""
    label, colour = question.label, PLUS if above else MINUS
    if not question.method.startswith("tracin-"):
        return colour, f"{'Above' if above else 'Below'} zero", f"By {question.method}."
    title = f"Towards “{label}”" if above else f"Away from “{label}”"
    return colour, title, f"A training step on each of these made “{label}” {'more' if above else 'less'} likely here."


def _card(colour: str, content: str) -> str:
    style = f"margin:.5em 0;padding:.4em .8em;border:{LINE};border-left:4px solid {colour};border-radius:6px"
    return f'<div style="{style}">{content}</div>'


def _example(example: Example) -> str:
    says = "" if example.predicted == example.label else f" · the model says {_chip(example.predicted)}"
    head = f"<b>{signed(example.score)}</b> · {_chip(example.label)}{says} · {_quiet(example.id)}"
    most = max((abs(score) for _, spans in example.sides for *_, score in spans), default=0.0)
    texts = "".join(_text(text, spans, most) for text, spans in example.sides)
    ranked = sorted(example.words.items(), key=lambda item: -abs(item[1]))
    listed = [f"{word} {signed(score)}" for word, score in ranked[:MOST_WORDS] if score]
    if len(ranked) > MOST_WORDS:
        others = sum(score for _, score in ranked[MOST_WORDS:])
        listed.append(f"{len(ranked) - MOST_WORDS} other words {signed(others)}")
    words = f"<div>{_quiet(' · '.join(listed))}</div>" if listed else ""
    return f"<div>{head}</div>{texts}{words}"


def _text(text: str, spans: Sequence[Span], most: float = 0.0) -> str:
    """A text with its words lit, line breaks and all; it reads from the side where its letters do."""
    parts, at = [], 0
    for start, end, score in sorted(spans):
        if start < at or not score:
            continue
        parts += [escape(text[at:start]), _mark(text[start:end], score, most)]
        at = end
    parts.append(escape(text[at:]))
    return f'<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere">{"".join(parts)}</div>'


def _mark(word: str, score: float, most: float) -> str:
    colour, line = (PLUS, "solid") if score > 0 else (MINUS, "dotted")
    channels = ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    veil = VEIL * abs(score) / most if most and math.isfinite(score / most) else 0.0
    style = f"background:rgba({channels},{veil:.2f});color:inherit;text-decoration:underline {line} 2px {colour}"
    return f'<mark title="{signed(score)}" style="{style}">{escape(word)}</mark>'


def _chip(label: object) -> str:
    return f'<span style="{CHIP}">{escape(str(label))}</span>'


def _quiet(text: object) -> str:
    return f'<span style="{QUIET}">{escape(str(text))}</span>'


def _number(value: object, form: str) -> str:
    return format(value, form) if isinstance(value, int | float) else escape(str(value))
