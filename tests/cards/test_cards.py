"""What a notebook shows: well-formed HTML with every text as text, whole on a small example, light and dark."""

import re
import tomllib
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import influence
from influence.cards import CardFrame, Example, Question, explained
from influence.cards.drawing import MINUS, PLUS
from influence.explanations.explanation import Explanation, Influence, Match, Sentence, Word

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)"> </div>\'"&amp;'
SUSPECTS = ("train_id", "text", "label", "suggested_label", "suspicion", "reason")
ELEMENTS = {"div", "span", "b", "br", "code", "mark"}


class Checked(HTMLParser):
    """Reads HTML strictly: every element closed in turn, none but ours, no attribute that could do anything."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS
        assert {name for name, _ in attrs} <= {"style", "dir", "title"}
        assert all("url(" not in (value or "") for _, value in attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def sentence(id: str | None, text: str, label: str, predicted: str, *, pair: str | None = None) -> Sentence:
    """A sentence whose words are those between spaces."""
    words = [
        Word(match.group(), *match.span(), side)
        for side, one in enumerate([text] if pair is None else [text, pair])
        for match in re.finditer(r"\S+", one)
    ]
    return Sentence(id, text, pair, label, predicted, {"neg": 0.25, "pos": 0.75}, [Word("[CLS]", 0, 0, -1), *words], False)


def small() -> Explanation:
    query = sentence(None, "good film", "", "pos")
    toward = Influence(sentence("a", "Good ’n’ good", "pos", "pos"), 0.5, [0.5], 0.1, [Match(0, 0, 0.1), Match(1, 1, 0.4)])
    away = Influence(sentence("b", "a film", "neg", "pos"), -0.25, [-0.25], 0.0, [Match(2, 2, -0.25)])
    return Explanation(query, "pos", "tracin-we-topk", [toward], [away])


QUIET = '<span style="opacity:.78;font-size:.85em">'
CHIP = '<span style="padding:0 .4em;border-radius:3px;background:rgba(128,128,128,.2);font-weight:600">'
TEXT = '<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere">'
LINE = "1px solid rgba(128,128,128,.35)"
CARD = f'<div style="margin:.5em 0;padding:.4em .8em;border:{LINE};border-left:4px solid {{}};border-radius:6px">'
LIT = "background:rgba({},0.45);color:inherit;text-decoration:underline {} 2px {}"
GOOD = f'<mark title="+0.4" style="{LIT.format("47,127,201", "solid", "#2f7fc9")}">'
FILM = f'<mark title="−0.25" style="{LIT.format("217,115,13", "dotted", "#d9730d")}">'
SMALL = (
    '<div style="line-height:1.5;max-width:80em;text-align:left">'
    '<div style="border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:.5em .8em">'
    f"{TEXT}good film</div>"
    f"<div>The model says {CHIP}pos</span> 75%; explained is the loss on {CHIP}pos</span> by "
    "<code>tracin-we-topk</code></div></div>"
    '<div style="display:flex;flex-wrap:wrap;gap:0 1.2em"><div style="flex:1 1 22em;min-width:0">'
    '<div style="margin-top:.6em"><b style="border-bottom:3px solid #2f7fc9">Towards “pos”</b> · 1 proponent<br>'
    f"{QUIET}A training step on each of these made “pos” more likely here.</span></div>"
    f"{CARD.format('#2f7fc9')}<div><b>+0.5</b> · {CHIP}pos</span> · {QUIET}a</span></div>{TEXT}"
    f"{GOOD}Good</mark>"
    f" ’n’ good</div><div>{QUIET}good +0.4 · [CLS] +0.1</span></div></div></div>"
    '<div style="flex:1 1 22em;min-width:0">'
    '<div style="margin-top:.6em"><b style="border-bottom:3px solid #d9730d">Away from “pos”</b> · 1 opponent<br>'
    f"{QUIET}A training step on each of these made “pos” less likely here.</span></div>"
    f"{CARD.format('#d9730d')}<div><b>−0.25</b> · {CHIP}neg</span> · the model says {CHIP}pos</span> · {QUIET}b</span></div>"
    f"{TEXT}a {FILM}film</mark></div><div>{QUIET}film −0.25</span></div></div></div></div></div>"
)


def test_an_explanation_whole() -> None:
    assert small()._repr_html_() == SMALL
    Checked(SMALL)


def test_its_frame_shows_the_same_but_lights_every_word_written_alike() -> None:
    """A frame knows which words carry a score, not where: both “good” are lit."""
    frame = small().to_frame()
    again = SMALL.replace(" ’n’ good</div>", f" ’n’ {GOOD}good</mark></div>")
    assert frame._repr_html_() == again


def test_the_colours_are_those_of_the_app() -> None:
    theme = tomllib.loads((Path(influence.__file__).parents[1] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))[
        "theme"
    ]
    assert {"blueColor": PLUS, "orangeColor": MINUS}.items() <= theme["light"].items()


def hostile() -> Explanation:
    query = sentence(HOSTILE, HOSTILE, HOSTILE, HOSTILE, pair=HOSTILE)
    one = Influence(sentence(HOSTILE, HOSTILE, HOSTILE, "neg", pair=HOSTILE), 1.0, [1.0], 0.0, [Match(1, 1, 1.0)])
    return Explanation(query, HOSTILE, HOSTILE, [one], [])


@pytest.mark.parametrize(
    "shown",
    [
        hostile(),
        hostile().to_frame(),
        CardFrame([(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0.5, HOSTILE)], columns=SUSPECTS),
        CardFrame([(HOSTILE,) * 6], columns=SUSPECTS),
    ],
    ids=["explanation", "its frame", "suspects", "no numbers"],
)
def test_a_hostile_text_stays_text(shown: Explanation | CardFrame) -> None:
    drawn = shown._repr_html_()
    assert drawn is not None
    read = Checked(drawn)
    assert read.text.count(HOSTILE) >= 4
    assert unescape(drawn) != drawn


def test_suspects_whole() -> None:
    columns = ("train_id", "text", "text_pair", "label", "suggested_label", "suspicion", "reason")
    rows = [("a", "so\ndull", None, "pos", "neg", 0.875, "3 of 4 say neg"), ("b", "fine", "too", "pos", "pos", 0.25, "")]
    frame = CardFrame(rows, columns=columns)
    read = Checked(str(frame._repr_html_()))
    assert read.text == (
        "labelled pos → suggested neg · suspicion 0.88 · aso\ndull3 of 4 say neglabelled pos · suspicion 0.25 · bfinetoo"
    )


def test_it_stays_a_frame_of_cards_as_long_as_it_has_what_they_show() -> None:
    frame = CardFrame([(f"e{n}", "text", "pos", "neg", n / 30, "why") for n in range(30)], columns=SUSPECTS)
    assert [str(frame._repr_html_()).count(word) for word in ("suspicion <b>", "and 10 more rows of this frame")] == [20, 1]
    for part, count in (
        (frame.head(3), 3), (frame[frame["suspicion"] > 0.8], 5), (frame.sort_values("train_id")[:2], 2), (frame.iloc[:0], 0),
    ):  # fmt: skip
        assert type(part) is CardFrame
        assert str(part._repr_html_()).count("suspicion <b>") == count
    some = frame[["train_id", "suspicion"]]
    assert some._repr_html_() == pd.DataFrame(some)._repr_html_()  # type: ignore[operator]
    assert isinstance(frame["label"], pd.Series)
    pd.testing.assert_frame_equal(frame, pd.DataFrame(frame), check_exact=True)
    with pd.option_context("display.notebook_repr_html", False):
        assert frame._repr_html_() is None


def test_of_many_rows_both_sides_are_shown() -> None:
    query, found = sentence(None, "good film", "", "pos"), small()
    many = Explanation(query, "pos", "bm25", found.proponents * 15, found.opponents * 3)
    read = Checked(str(many.to_frame()._repr_html_())).text
    assert (read.count("+0.5 ·"), read.count("−0.25 ·")) == (10, 3)
    assert read.endswith("and 5 more rows of this frame")
    assert "training step" not in read  # which this method does not ask about
    assert Checked(many._repr_html_()).text.count("+0.5 ·") == 15


def test_words_that_overlap_or_carry_nothing_are_not_marked_twice() -> None:
    example = Example("a", 1.0, "pos", "pos", [("abcdef", [(0, 4, 1.0), (2, 6, 0.5), (5, 6, 0.0)])], {"abcd": 1.0})
    drawn = explained(Question(None, ["abcd"], "pos", "pos", None, "tracin-we"), [example], [])
    assert drawn.count("<mark") == 1
    assert Checked(drawn).text.count("abcdef") == 1


def luminance(colour: tuple[float, ...]) -> float:
    """Of WCAG 2.2, from 0 (black) to 1 (white)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("letters", "behind"),
    [((33, 33, 33), (255, 255, 255)), ((224, 224, 224), (17, 17, 17)), ((204, 204, 204), (31, 31, 31))],
    ids=["light", "JupyterLab dark", "VS Code dark"],
)
def test_lit_words_and_lines_can_be_seen_light_and_dark(letters: tuple[float, ...], behind: tuple[float, ...]) -> None:
    """Letters on the strongest veil 4.5 : 1, quiet ones too, and lines 3 : 1, as WCAG asks."""
    drawn = str(small()._repr_html_())
    for red, green, blue, veil in re.findall(r"background:rgba\((\d+),(\d+),(\d+),(0\.45)\)", drawn):
        lit = tuple(float(veil) * float(c) + (1 - float(veil)) * b for c, b in zip((red, green, blue), behind, strict=True))
        assert contrast(letters, lit) >= 4.5
        assert contrast((float(red), float(green), float(blue)), behind) >= 3
    quiet = tuple(0.78 * c + 0.22 * b for c, b in zip(letters, behind, strict=True))
    assert contrast(quiet, behind) >= 4.5
