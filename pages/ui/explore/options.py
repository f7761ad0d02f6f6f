"""How Explore's question is asked: about which label, by which method, beside which other, with start and end tokens or not."""

import streamlit as st

import influence
from influence import METHODS, Explanation
from pages.ui.explore.address import TOKENS, ExploreAddress
from pages.ui.frame import Binding, go
from pages.ui.parts import method_menu


def draw(workspace: influence.Workspace, address: ExploreAddress, found: Explanation) -> None:
    """The choices, behind one button."""
    method = METHODS[address.method]
    labels = list(dict.fromkeys([*filter(None, [found.query.label, found.query.predicted]), *workspace.info.labels]))
    methods = method_menu.offered(workspace, method.id, address.versus)
    approximate = workspace.info.approximation if method.id.startswith("tracin-") else ""
    usual = ExploreAddress()
    asked = sum(getattr(address, one) != getattr(usual, one) for one in ("target", "method", "versus", "tokens"))
    with st.popover(f"Ask another way{f' ({asked} chosen)' if asked else ''}", icon=":material/tune:", key="explore_options"):
        st.selectbox(
            "What speaks for, and against", labels, format_func=lambda label: _label_name(label, found),
            **_choice(address, "target", found.label),
        )  # fmt: skip
        method_menu.draw(
            "Method", methods, method.id, key="explore_method", help=method_menu.explained(workspace, method.id, approximate),
            on_choose=lambda id: _ask(address, "method", id),
        )  # fmt: skip
        method_menu.draw(
            "Compare with", [id for id in methods if id != method.id], address.versus, key="explore_versus",
            none="no other method", on_choose=lambda id: _ask(address, "versus", id),
        )  # fmt: skip
        st.segmented_control(
            "Start and end tokens", list(TOKENS), format_func=TOKENS.__getitem__, required=True, disabled=not method.words,
            help="Every text has them, so what goes through them says little about words.",
            **_choice(address, "tokens", address.tokens),
        )  # fmt: skip


def _choice(address: ExploreAddress, field: str, value: str) -> Binding:
    # The value is part of the key: after a choice the widget is a new one and without focus, so the shortcuts still work.
    key = f"explore_{field}_{value}"
    st.session_state[key] = value
    return {"key": key, "on_change": _change, "args": (address, field, key)}


def _label_name(label: str, found: Explanation) -> str:
    said = [name for name, one in (("the label", found.query.label), ("what it says", found.query.predicted)) if one == label]
    return f"{label} ({', '.join(said)})" if said else label


def _change(address: ExploreAddress, field: str, key: str) -> None:
    _ask(address, field, st.session_state[key])


def _ask(address: ExploreAddress, field: str, value: str) -> None:
    changed = address.at(**{field: value}, pin="")
    go(changed.at(versus="") if changed.versus == changed.method else changed)
