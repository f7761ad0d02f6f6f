"""Who is at this browser: the login where one is set up, else a name that is asked for once.

A typed name is no proof of anything: it says whose decisions are whose. The browser keeps it in a cookie.
"""

import secrets
from urllib.parse import quote, unquote

import streamlit as st

from influence import SettingsError
from influence.review import Reviewer
from pages.ui.frame import render
from pages.ui.frame.render import ASSETS, md

COOKIE = "wordtrace_reviewer"
NAME, SESSION, CHANGED = "wt_reviewer", "wt_session", "wt_reviewer_changed"
FIELD, COMPLAINT = "wt_reviewer_field", "wt_reviewer_complaint"

_cookie = st.components.v2.component(
    "wordtrace_cookie", html="<span></span>", js=(ASSETS / "frame" / "cookie.js").read_text(encoding="utf-8")
)


def known() -> Reviewer | None:
    """Who is at this browser, if that is known."""
    login = st.user.to_dict()
    if login.get("is_logged_in"):
        return _made(str(login.get("email") or login.get("name") or login.get("sub")), auth="oidc")
    if "is_logged_in" in login:
        return None
    if NAME not in st.session_state and (remembered := _remembered()):
        st.session_state[NAME] = remembered
    return _made(st.session_state[NAME], auth="local") if NAME in st.session_state else None


def ask() -> None:
    """Draw the question who is there; the answer is known at the next drawing."""
    if "is_logged_in" in st.user.to_dict():
        ask_for_login("Log in to review", "This server knows its reviewers by their login.")
    else:
        _ask_for_name()


def keep() -> None:
    """Have the browser remember the name that was typed."""
    if NAME in st.session_state and st.session_state[NAME] != _remembered():
        _cookie(key="wt_cookie", data={"name": COOKIE, "value": quote(st.session_state[NAME], safe="")}, height=1)


def change() -> None:
    """Ask for another name. Only for callbacks."""
    st.session_state.pop(NAME, None)
    st.session_state[CHANGED] = True  # the cookie's name is the one to be changed


def _made(name: str, *, auth: str) -> Reviewer:
    # Streamlit forgets a session two minutes after its browser has gone; what it held on screen is free by then.
    session = st.session_state.setdefault(SESSION, secrets.token_hex(8))
    return Reviewer(name=name, auth=auth, session=session)


def _remembered() -> str | None:
    value = st.context.cookies.get(COOKIE)
    if not isinstance(value, str) or CHANGED in st.session_state:
        return None
    try:
        return Reviewer(name=unquote(value)).name
    except SettingsError:
        return None


def _ask_for_name() -> None:
    with st.container(key="wt-gate"):
        render.state_text(
            "Who is reviewing?",
            "Your name goes with every decision, into the fix list and the audit log. It is asked for once in this browser.",
        )
        with st.form("wt_reviewer_form", border=False):
            st.text_input("Your name", key=FIELD, max_chars=100, placeholder="as colleagues know you")
            st.form_submit_button("Start", type="primary", on_click=_take_name)
        if complaint := st.session_state.get(COMPLAINT):
            st.error(md(complaint, 300))


def _take_name() -> None:
    try:
        st.session_state[NAME] = Reviewer(name=st.session_state[FIELD]).name
        st.session_state.pop(COMPLAINT, None)
    except SettingsError as error:
        st.session_state[COMPLAINT] = str(error)


def ask_for_login(title: str, why: str) -> None:
    """Draw the button that leads to the login, where one is set up."""
    with st.container(key="wt-gate"):
        render.state_text(title, why)
        st.button("Log in", type="primary", on_click=st.login)
