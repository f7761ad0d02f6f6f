"""Who may do what on this server: its owner everything, a visitor what takes nothing away from others.

A server on this machine alone, and one started by `streamlit run app.py`, has no visitors. `frame.server` says otherwise
where it listens beyond; the door in front of it (`frame.door`) then says of each browser who it is.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

import influence

OWNER, VISITOR = "owner", "visitor"
# Headers that the door puts on what it lets through, in the place of any that came from outside.
ROLE_HEADER, VISITOR_HEADER = "x-wordtrace-role", "x-wordtrace-visitor"
ONLY_OWNER = "Only the owner of this server may do this: whoever has the owner's address, or a login named by --admin"


@dataclass(frozen=True)
class Policy:
    """How a server is reached. `login`: visitors log in. `admins`: the logins that count as owners."""

    beyond: bool = False
    login: bool = False
    admins: frozenset[str] = frozenset()


_policy = Policy()


def set_policy(policy: Policy) -> None:
    """Say how this process's server is reached."""
    global _policy
    _policy = policy


def login_missing() -> bool:
    """Whether whoever is at this browser must log in before anything is shown."""
    return _policy.beyond and _policy.login and not st.user.to_dict().get("is_logged_in")


def is_owner() -> bool:
    """Whether this browser may take away what belongs to others: delete or rename a workspace, stop a job."""
    if not _policy.beyond:
        return True
    if _policy.login:
        return bool(_login() & _policy.admins)
    return st.context.headers.get(ROLE_HEADER) == OWNER


def who() -> str:
    """Something that tells this browser, or login, from others and says nothing else; "" where there are no visitors."""
    if not _policy.beyond:
        return ""
    name = min(_login(), default="") if _policy.login else st.context.headers.get(VISITOR_HEADER) or ""
    return hashlib.sha256(name.encode()).hexdigest()[:16] if name else ""


def may_stop(owner: str) -> bool:
    """Whether this browser may stop what that one has started."""
    return is_owner() or bool(owner and owner == who())


def checked(allowed: Callable[[], bool], callback: Callable[[], object]) -> Callable[[], None]:
    """A callback that does nothing where it is not allowed: what a browser sends is not bound to what was drawn for it."""

    def called() -> None:
        if allowed():
            callback()

    return called


def require_owner() -> None:
    """Raises `SettingsError` where this browser is not the owner's."""
    if not is_owner():
        raise influence.SettingsError(ONLY_OWNER)


def _login() -> frozenset[str]:
    """What proves who is logged in, in small letters: the address, unless it is unproven, and the provider's subject."""
    login = st.user.to_dict()
    if not login.get("is_logged_in"):
        return frozenset()
    proofs = (None if login.get("email_verified") is False else login.get("email"), login.get("sub"))
    return frozenset(str(proof).casefold() for proof in proofs if proof)
