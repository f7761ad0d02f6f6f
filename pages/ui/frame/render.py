"""The only module that turns data into HTML or Markdown. Whatever comes from a data file is escaped here.

`st.html` keeps forms, styles and images, and labels of widgets parse Markdown, which fetches images: neither is safe
for a text that nobody has checked.
"""

import html
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from pages.ui.frame import numbers

ASSETS = Path(__file__).parents[3] / "assets"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&@/])")
_SPACE = re.compile(r"\s+")
TOP_LABELS = 4


def md(value: object, longest: int = 200) -> str:
    """A value for any label that parses Markdown: one line, and every mark escaped so that it shows as itself."""
    line = _SPACE.sub(" ", str(value)).strip()
    return _MARKDOWN.sub(r"\\\1", line if len(line) <= longest else line[: longest - 1] + "…")


def component(name: str, *scripts: str, style: str = "") -> ComponentRenderer:
    """A component of ours: scripts of the assets and a stylesheet, its only script's unless named, after what all share."""
    css, js = (
        "".join((ASSETS / f"{part}.{kind}").read_text(encoding="utf-8") for part in ("frame/elements", *parts))
        for kind, parts in (("css", [style or scripts[-1]]), ("js", scripts))
    )
    return st.components.v2.component(f"wordtrace_{name}", html=f"<div\nclass='wordtrace {name}'></div>", css=css, js=js)


def style() -> None:
    """The app's stylesheet; a file of ours, without data."""
    st.html(ASSETS / "frame" / "app.css")


def brand() -> None:
    """The name at the head of the sidebar."""
    st.html('<div class="wt-brand">Wordtrace<small>from a prediction to the words that taught it</small></div>')


def version(number: str) -> None:
    """The version at the foot of the sidebar."""
    st.html(f'<div class="wt-version">Wordtrace {html.escape(number)}</div>')


def title(text: str) -> None:
    """The page's title."""
    st.html(f'<h1 class="wt-title">{html.escape(text)}</h1>')


def section(text: str) -> None:
    """The title of a page's section."""
    st.html(f'<h2 class="wt-section">{html.escape(text)}</h2>')


def lead(text: str) -> None:
    """What a page is for, in a sentence or two."""
    st.html(f'<p class="wt-lead">{html.escape(text)}</p>')


def figures(rows: Collection[tuple[str, str, str]]) -> None:
    """Numbers of a page's head beside each other, each with its name above and a remark below."""
    for column, (name, value, detail) in zip(st.columns(len(rows)), rows, strict=True):
        cells = f"<span>{html.escape(name)}</span><b>{html.escape(value)}</b><span>{html.escape(detail)}</span>"
        column.html(f'<div class="wt-figure">{cells}</div>')


def answer(lead: str, rest: Iterable[str]) -> None:
    """An answer in sentences, the first of them loud."""
    st.html(f'<p class="wt-answer"><b>{html.escape(lead)}</b> {html.escape(" ".join(rest))}</p>')


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values as a plain two-column list."""
    cells = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    st.html(f'<dl class="wt-facts">{cells}</dl>')


def notes(lines: Iterable[str]) -> None:
    """Remarks, one a line."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    st.html(f'<ul class="wt-notes">{items}</ul>')


def hint(text: str) -> None:
    """A quiet line of explanation."""
    st.html(f'<p class="wt-hint">{html.escape(text)}</p>')


def heading(title: str, detail: str = "") -> None:
    """A section's title with a quiet remark beside it."""
    remark = f'<span class="wt-hint">{html.escape(detail)}</span>' if detail else ""
    st.html(f'<div class="wt-heading"><h2>{html.escape(title)}</h2>{remark}</div>')


def page_state(title: str, message: str) -> None:
    """A whole-page state: what is the matter, in the engine's own words, and the way out."""
    st.html(f'<section class="wt-state"><h1>{html.escape(title)}</h1><p>{html.escape(message)}</p></section>')


def prediction(probabilities: Mapping[str, float], *, predicted: str, given: str) -> None:
    """The model's probabilities as bars: the likeliest labels, and the given one wherever it stands."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    shown = ranked[:TOP_LABELS] + [item for item in ranked[TOP_LABELS:] if item[0] == given]
    rows = "".join(_probability_row(label, value, predicted=predicted, given=given) for label, value in shown)
    rest = len(ranked) - len(shown)
    more = f'<p class="wt-hint">and {rest} labels of smaller probability</p>' if rest else ""
    st.html(f'<div class="wt-prediction">{rows}{more}</div>')


def _probability_row(label: str, value: float, *, predicted: str, given: str) -> str:
    tags = []
    if label == predicted:
        tags.append("predicted")
    if label == given:
        tags.append("given label")
    name = f'<span class="wt-label" title="{html.escape(label)}">{html.escape(label)}</span>'
    tag = f'<span class="wt-tag">{html.escape(", ".join(tags))}</span>'
    bar = f'<span class="wt-bar"><i style="width:{value:.1%}"></i></span>'
    return f'<div class="wt-probability">{name}{tag}<b>{numbers.probability(value)}</b>{bar}</div>'


def state_text(title: str, message: str) -> None:
    """The head of a state that goes on with a form or a button below it."""
    st.html(f'<div class="wt-state-text"><h2>{html.escape(title)}</h2><p>{html.escape(message)}</p></div>')


def progress(name: str, tags: Iterable[str], share: float | None, counts: str) -> None:
    """How far a queue is: its name, its settings, the counts, and a bar unless `share` is None."""
    chips = "".join(f'<span class="wt-chip">{html.escape(tag)}</span>' for tag in tags)
    bar = "" if share is None else f'<span class="wt-bar"><i style="width:{max(0.0, min(share, 1.0)):.1%}"></i></span>'
    st.html(
        f'<div class="wt-progress"><p><b>{html.escape(name)}</b>{chips}<span class="wt-hint">{html.escape(counts)}</span></p>'
        f"{bar}</div>"
    )


def said(message: str, *, failed: bool) -> None:
    """What the last key did: a quiet line, a loud one where it failed."""
    kind = "wt-failed" if failed else "wt-saved"
    st.html(f'<p class="{kind}" role="status">{html.escape(message) or "&nbsp;"}</p>')


def verdict(text: str, *, sure: bool) -> None:
    """What a result says, in one sentence; quieter where it may be chance."""
    st.html(f'<p class="wt-verdict {"wt-sure" if sure else "wt-unsure"}" role="status">{html.escape(text)}</p>')


def command(text: str) -> None:
    """A command to copy."""
    st.html(f'<pre class="wt-command"><code>{html.escape(text)}</code></pre>')


def rule(text: str, *, revoked: bool) -> None:
    """A rule in words; a revoked one is struck through."""
    tag = "s" if revoked else "b"
    st.html(f'<p class="wt-rule-text"><{tag}>{html.escape(text)}</{tag}></p>')


def step(number: int, title: str, detail: str = "") -> None:
    """The head of one of a page's steps."""
    remark = f'<span class="wt-hint">{html.escape(detail)}</span>' if detail else ""
    st.html(f'<div class="wt-step"><i>{number}</i><h2>{html.escape(title)}</h2>{remark}</div>')


def quote(text: str, remark: str) -> None:
    """A text of the data, with a remark below it."""
    st.html(f'<blockquote class="wt-quote">{html.escape(text)}<span>{html.escape(remark)}</span></blockquote>')


MARKS = {"stop": ("✕", "stops a build"), "mend": ("!", "can be mended"), "look": ("?", "worth a look"), "fine": ("✓", "fine")}


def findings(remarks: Iterable[tuple[str, str, str]]) -> None:
    """Remarks on a data file: level, what was found, what to do about it."""
    items = []
    for level, what, advice in remarks:
        mark, meaning = MARKS[level]
        head = f'<i class="wt-mark" title="{meaning}" aria-label="{meaning}">{mark}</i><b>{html.escape(what)}</b>'
        items.append(f'<li class="wt-{level}">{head} <span>{html.escape(advice)}</span></li>')
    st.html(f'<ul class="wt-findings">{"".join(items)}</ul>')


def counts(rows: Iterable[tuple[str, int, str]], *, most: int) -> None:
    """Names with a bar each and a remark: how many rows a label has."""
    lines = []
    for name, count, remark in rows:
        width = max(count / most, 0.004) if most and count else 0.0
        lines.append(
            f'<div class="wt-count"><span title="{html.escape(name)}">{html.escape(name)}</span>'
            f'<span class="wt-bar"><i style="width:{width:.1%}"></i></span><b>{html.escape(remark)}</b></div>'
        )
    st.html(f'<div class="wt-counts">{"".join(lines)}</div>')


def steps(rows: Iterable[tuple[str, str, bool]]) -> None:
    """Stages, one a line: its name, a remark, and whether it is done."""
    items = "".join(
        f'<li class="{"wt-done" if done else "wt-now"}"><span>{html.escape(name)}</span><span>{html.escape(remark)}</span></li>'
        for name, remark, done in rows
    )
    st.html(f'<ol class="wt-steps">{items}</ol>')
