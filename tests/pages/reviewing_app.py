"""A workspace of its own for a test that decides, and pages opened in somebody's name."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, components
from streamlit.testing.v1 import AppTest

import influence
from influence.review.events import Reviewer
from influence.review.log import open_log
from influence.review.queues import Queue, Queues
from influence.review.reviews import Reviews, open_reviews
from pages.ui.frame import reviewer

ANN, BOB = Reviewer(name="Ann", session="ann's"), Reviewer(name="Bob", session="bob's")


@contextmanager
def own_workspace(workspaces: Path, folder: Path, *, name: str = "tiny") -> Iterator[Path]:
    """A root with a copy of a workspace, whose reviews are closed afterwards."""
    shutil.copytree(workspaces / name, folder / name)
    yield folder
    open_log(folder / name).close()


def reviews_of(root: Path, *, name: str = "tiny") -> Reviews:
    """The reviews that the pages of this process have open."""
    return open_reviews(influence.open_workspace(root / name))


def queue_of(root: Path, ids: list[str], **settings: Any) -> Queue:
    """A queue of some examples."""
    return Queues(reviews_of(root)).create(ANN, "some", ids, **settings)


def opener(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Runs a page at an address in somebody's name: `open_as("Ann", "review", queue="q1")`; "" for nobody yet."""

    def opened(who: str, page: str, /, **parameters: str) -> AppTest:
        monkeypatch.setenv("WORDTRACE_WORKSPACES", str(root))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if who:
            app.session_state[reviewer.NAME] = who
        if page != "home":
            app.switch_page(f"pages/{page}.py")
        for name, value in parameters.items():
            app.query_params[name] = value
        return app.run()

    return opened


def button(app: AppTest, start: str) -> Any:
    """The one button whose key begins so."""
    [found] = [one for one in app.button if (one.key or "").startswith(start)]
    return found


def press(app: AppTest, shortcut: str) -> AppTest:
    """Press the one button with that key on it, as its key would."""
    [found] = [one for one in app.button if one.proto.shortcut.lower() == shortcut.lower()]
    assert not found.disabled, f"{shortcut} is off"
    found.click().run()
    assert not app.exception, app.exception
    return app


def part(app: AppTest, name: str) -> Any:
    """What the component that draws that part of Review was given."""
    assert not app.exception, app.exception
    return next(data for data in components(app) if data.get("part") == name)


def on_screen(app: AppTest) -> str:
    """The id of the example that Review shows."""
    return str(part(app, "item")["id"])
