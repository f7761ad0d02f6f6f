"""The buttons of the Review page, each with its key. Their own keys carry the example's id: see `keys`."""

import streamlit as st

from influence.data import TWO_WAYS, Edit
from influence.review import Action
from pages.ui.frame import Session, md, render
from pages.ui.parts import verdicts
from pages.ui.review import keys, position
from pages.ui.review.address import ReviewAddress
from pages.ui.review.keys import KEYED, MASK_KEY, decide
from pages.ui.review.review_item import ReviewItem


def decisions(session: Session, address: ReviewAddress, found: ReviewItem, *, off: bool) -> None:
    """The labels with their numbers, then what else can be decided. The given label's number keeps it."""
    id, labels = found.example.id, _labels(session, found)
    with st.container(horizontal=True, key="wt-review-labels"):
        for number, label in enumerate(labels, start=1):
            given = label == found.example.label
            args = (session, address, id, "keep", None, ()) if given else (session, address, id, "relabel", label, ())
            st.button(
                md(label, 40), key=f"label_{number}_{id}", shortcut=str(number), on_click=decide, args=args, disabled=off,
                type="primary" if label == found.suggested else "secondary",
                help="The given label: keeps it" if given else None,
            )  # fmt: skip
        if len(labels) < len(session.workspace.info.labels):
            key = f"label_other_{id}"
            rest = [label for label in session.workspace.info.labels if label not in labels]
            st.selectbox(
                "Another label", rest, index=None, key=key, placeholder="another label…", label_visibility="collapsed",
                width=190, disabled=off, on_change=keys.decide_other, args=(session, address, id, key),
            )  # fmt: skip
    with st.container(horizontal=True, key="wt-review-verdicts"):
        for kind, words in verdicts.WORDINGS.items():
            if words.button:
                masks = Edit(kind).does.masks
                st.button(
                    words.button, key=f"{kind}_{id}", shortcut=words.key or None, disabled=off, help=words.help,
                    on_click=keys.start_masking if masks else decide,
                    args=(id,) if masks else (session, address, id, kind, None, ()),
                )  # fmt: skip


def _labels(session: Session, found: ReviewItem) -> list[str]:
    """The labels that get a key: all in their order, or where there are many the likeliest, the given one among them."""
    labels = session.workspace.info.labels
    if len(labels) <= KEYED:
        return labels
    likely = labels if found.hidden else sorted(labels, key=lambda label: -found.sentence.probabilities[label])
    first = list(dict.fromkeys([found.example.label, *([found.suggested] if found.suggested else []), *likely]))
    return first[:KEYED]


def masking(session: Session, address: ReviewAddress, found: ReviewItem, picked: list[str]) -> None:
    """Words to mask, in place of the decisions: the nine that carry most have keys, all can be clicked in the text."""
    id, words = found.example.id, found.maskable()
    chosen = {word.casefold() for word in picked}
    with st.container(horizontal=True, key="wt-review-words"):
        for number, word in enumerate(words[:KEYED], start=1):
            st.button(
                md(word, 30), key=f"word_{number}_{id}", shortcut=str(number),
                type="primary" if word.casefold() in chosen else "secondary", on_click=keys.pick, args=(id, word),
            )  # fmt: skip
    with st.container(horizontal=True, key="wt-review-mask"):
        count = f"{len(picked)} word{'s' if len(picked) != 1 else ''}"
        st.button(
            f"Mask {count}" if picked else "Pick words here, or click any in the text", key=f"mask_done_{id}",
            shortcut=MASK_KEY, type="primary", disabled=not picked,
            on_click=decide, args=(session, address, id, "mask", None, tuple(picked)),
        )  # fmt: skip
        st.button("Cancel", key=f"mask_stop_{id}", shortcut="Escape", on_click=keys.stop_masking)
    render.hint(f"Every occurrence is masked: {TWO_WAYS}.")


def steps(session: Session, address: ReviewAddress, found: ReviewItem, latest: list[Action], *, off: bool) -> None:
    """Undo and redo, a note, the way through the queue, and how much evidence there is."""
    id = found.example.id
    with st.container(horizontal=True, key="wt-review-steps"):
        undo(session, address, id, latest, off=off)
        st.button(
            "Redo", key=f"redo_{id}", shortcut="Y", type="tertiary", on_click=keys.redo, args=(session, address, id), disabled=off
        )
        st.button("Note", key=f"note_{id}", shortcut="N", type="tertiary", on_click=keys.start_note, disabled=off)
        steps_only(session, address, id, off=off)
        more = "Less evidence" if st.session_state.get(keys.MORE) else "More evidence"
        st.button(more, key=f"more_{id}", shortcut="E", type="tertiary", on_click=keys.turn_more, disabled=off)


def steps_only(session: Session, address: ReviewAddress, id: str, *, off: bool = False) -> None:
    """To the examples before and after in the queue, deciding nothing."""
    before = position.before(session, address.queue, id) if address.queue else None
    st.button(
        "Previous", key=f"back_{id}", shortcut="P", type="tertiary", disabled=off or before is None,
        on_click=keys.back, args=(address, before or ""),
    )  # fmt: skip
    st.button(
        "Next", key=f"forward_{id}", shortcut="J", type="tertiary", disabled=off or not address.queue,
        on_click=keys.forward, args=(session, address, id),
    )  # fmt: skip


def undo(session: Session, address: ReviewAddress, id: str, latest: list[Action], *, off: bool) -> None:
    """Undo, which knows the action it would take back: a press that comes too late takes back nothing else."""
    st.button(
        "Undo", key=f"undo_{id}_{latest[0].id if latest else 0}", shortcut="U", type="tertiary", disabled=off or not latest,
        on_click=keys.undo, args=(session, address, latest[0].id if latest else 0),
    )  # fmt: skip


@st.dialog("Note", on_dismiss=keys.stop_note)
def note(session: Session, address: ReviewAddress, id: str) -> None:
    """A remark on the example, without deciding it."""
    if not st.session_state.get(keys.NOTING):
        st.rerun()  # saved: the dialog is a fragment of its own, and only the page can close it
    key = f"note_text_{id}"
    with st.form(f"note_form_{id}", border=False):
        st.text_area("What should others know about this example?", key=key, max_chars=2_000)
        st.form_submit_button("Save note", type="primary", on_click=keys.add_note, args=(session, address, id, key))
