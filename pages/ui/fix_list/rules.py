"""The Fix list's rules: written, looked at on the data, applied as one, taken back as one."""

from typing import Any

import streamlit as st

import influence
from influence.data import Edit, find
from influence.experiments import spec_of_rule
from influence.review import Action
from influence.rules import AppliedRule, Preview, Rule, applied_rules, apply_rule, preview
from pages.ui.fix_list.address import BY_NAMES, FixListAddress, read_address
from pages.ui.frame import OnChange, Session, go, latest, md, messages, numbers, render, reviewer, shell
from pages.ui.parts import SHOWN, STILL, Piece, Row, decision_charts, learning, rows, verdicts

ANY = ""
SAMPLES = 12
EXAMPLES = {
    "words": "championship series",
    "regex": r"(?i)red sox|yankees",
    "sql": "label <> predicted and confidence > 0.95 and length(text) < 80",
}
HELP = {
    "words": "Whole words, whatever their case. Commas between phrases: all of them must occur.",
    "regex": "An RE2 expression, matched anywhere in a text; (?i) ignores case.",
    "sql": "Over the columns id, text, text_pair, label, predicted and confidence, in DuckDB's SQL.",
}


def draw(session: Session, address: FixListAddress) -> None:
    """The whole part."""
    with st.container(key="wt-split-rules"):
        left, right = st.columns([1.4, 1], gap="large")
    with left:
        _form(session, address)
        if address.pattern.strip() and (address.label or not Edit(address.action).does.relabels):
            _look(session, address)
    with right:
        _applied(session)


def _form(session: Session, address: FixListAddress) -> None:
    """The rule as a sentence. Its parts follow the address, and their callbacks write it."""
    labels = session.workspace.info.labels
    keys = {name: f"rule_{name}" for name in ("only", "by", "pattern", "action", "label", "note")}
    for name, key in keys.items():
        st.session_state[key] = getattr(address, name) or (None if name == "label" else getattr(address, name))
    callback: OnChange = {"on_change": _spell, "args": (address, keys)}
    render.heading("A rule", "decides every example that it matches, as one")
    with st.container(border=True, key="wt-rule"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox("Examples labelled", [ANY, *labels], format_func=_or_anything, key=keys["only"], width=190, **callback)
            st.selectbox("that", list(BY_NAMES), format_func=BY_NAMES.__getitem__, key=keys["by"], width=230, **callback)
        st.text_input(
            "these",
            key=keys["pattern"],
            max_chars=2_000,
            placeholder=f"for example: {EXAMPLES[address.by]}",
            help=HELP[address.by],
            **callback,
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            actions = verdicts.rule_actions()
            st.selectbox("are to be", list(actions), format_func=actions.__getitem__, key=keys["action"], width=190, **callback)
            if Edit(address.action).does.relabels:
                st.selectbox("as", labels, index=None, key=keys["label"], width=230, placeholder="the new label", **callback)
        st.text_input("because", key=keys["note"], max_chars=300, placeholder="a note for the fix list, if you like", **callback)


def _or_anything(label: str) -> str:
    return label or "anything"


def _spell(address: FixListAddress, keys: dict[str, str]) -> None:
    """Put the rule as it is filled in into the address, from which it is then read."""
    go(address.at(**{name: st.session_state.get(key) or "" for name, key in keys.items()}))


def _look(session: Session, address: FixListAddress) -> None:
    who = session.somebody
    if who is None:
        render.hint("A rule is applied in somebody's name; who are you?")
        reviewer.ask()
        return
    try:
        rule = address.rule()
        with st.spinner("Looking for what it matches…", show_time=True):
            # Whoever goes on to something else stops the script where it draws, and the matching with it.
            found = preview(session.reviews, who, rule, samples=SAMPLES, tick=st.empty().empty)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    render.heading(f"{len(found.example_ids):,} examples would change", verdicts.label_counts(found.labels))
    render.hint(_beside(found))
    st.button(
        f"Apply to {len(found.example_ids):,} examples", key="rule_apply", type="primary", disabled=not found.example_ids,
        on_click=_apply, args=(session, address, rule),
    )  # fmt: skip
    if rule.edit.does.changes_data:
        spec = spec_of_rule(rule)
        shell.link("proof", "Would it help? Try it in Proof", workspace=address.workspace, change=spec)
    if rule.edit.does.moves_labels:
        st.plotly_chart(decision_charts.balance(found.before, found.after), key="rule_balance", config=STILL)
    render.heading("The first of them" if len(found.example_ids) > SAMPLES else "All of them")
    rows.draw([_row(sample, rule) for sample in found.samples], key="rule_rows")


def _beside(found: Preview) -> str:
    parts = []
    if found.decided:
        parts.append(f"{len(found.decided):,} more match, but you have decided them otherwise: they stay as you decided")
    if found.unchanged:
        parts.append(f"{found.unchanged:,} more match and would not change")
    return ". ".join(parts)


def _row(sample: Any, rule: Rule) -> Row:
    phrases = rule.phrases if rule.by == "words" else ()
    sides = [_lit(text, phrases) for text in (sample.text, sample.text_pair) if text is not None]
    foot = (
        "" if sample.predicted == sample.label else f"the model says {sample.predicted}, {numbers.probability(sample.confidence)}"
    )
    return rows.row(sample.id, labels=verdicts.becomes(sample.label, rule.edit), sides=sides, foot=foot)


def _lit(text: str, phrases: tuple[str, ...]) -> list[Piece]:
    """The text in pieces, the matched phrases as lit words."""
    pieces: list[Piece] = []
    at = 0
    for start, end in sorted(span for phrase in phrases for span in find(text, phrase)):
        if start >= at:
            pieces += [(text[at:start], -1, SHOWN), (text[start:end], 0, SHOWN)]
            at = end
    return [piece for piece in [*pieces, (text[at:], -1, SHOWN)] if piece[0]]


def _apply(session: Session, drawn: FixListAddress, rule: Rule) -> None:
    address, _ = read_address(latest(drawn), session.workspace)  # what was typed just before the click counts, too
    with messages.or_say("Not applied"):
        if address.rule() != rule:
            raise influence.SettingsError("the rule has just been changed; look at what it would do first")
        action = apply_rule(session.reviews, session.reviewer, rule, note=address.note)
        messages.say(f"Applied at {numbers.clock(action.at)} to {len(action.example_ids):,} examples: {rule}")
        learning.check(session)
        go(address.part_only("rules"))


def _applied(session: Session) -> None:
    found = applied_rules(session.reviews)
    render.heading("Applied rules", f"{sum(not one.action.undone for one in found):,} in force" if found else "")
    if not found:
        render.hint("None yet. A rule is kept with its matches, and can be revoked as one at any time.")
    for one in found:
        _one(session, one)


def _one(session: Session, one: AppliedRule) -> None:
    action = one.action
    with st.container(border=True, key=f"wt-rule-{action.id}"):
        render.rule(str(one), revoked=action.undone)
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch"):
                about = f"{len(action.example_ids):,} examples · {action.reviewer} · {numbers.moment(action.at.isoformat())}"
                render.hint(about + (" · revoked" if action.undone else ""))
            if not action.undone and session.known:
                st.button("Revoke", key=f"rule_revoke_{action.id}", on_click=_revoke, args=(session, action))


def _revoke(session: Session, action: Action) -> None:
    with messages.or_say("Not revoked"):
        session.reviews.revoke(session.reviewer, action.id)
        messages.say(f"Revoked: {len(action.example_ids):,} examples are as they were before.")
