"""A workspace of its own for a test that decides, and pages opened in somebody's name."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, components, trigger
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


def send(app: AppTest, *presses: dict[str, Any], showing: str = "", token: str = "test") -> AppTest:
    """Send presses as the deck's script does, numbered on from those before unless they say otherwise."""
    answered = part(app, "deck")["answered"]
    first = 1 + (answered["seq"] if answered["token"] == token else 0)
    numbered = [{"seq": first + at, "ms": 500, "proven": True, **press} for at, press in enumerate(presses)]
    return trigger(app, is_deck, "pressed", {"token": token, "presses": numbered, "showing": showing})


def is_deck(data: dict[str, Any]) -> bool:
    """Whether a component with these data is the deck."""
    return data.get("part") == "deck"


def press(app: AppTest, key: str) -> AppTest:
    """Press a key: of a button of Streamlit's, else one of the deck's, as its script would."""
    found = [one for one in app.button if one.proto.shortcut.lower() == key.lower()]
    if found:
        assert not found[0].disabled, f"{key} is off"
        found[0].click().run()
        assert not app.exception, app.exception
        return app
    deck = part(app, "deck")
    ids = [case["id"] for case in deck["cases"]]
    id, showing = (ids[0] if ids else ""), next(iter(ids if deck["alone"] else ids[1:]), "")
    for label in deck["labels"]:
        if label["key"] == key.lower():
            keeps = label["name"] == deck["cases"][0]["given"]
            return send(
                app, {"id": id, **({"kind": "keep"} if keeps else {"kind": "relabel", "label": label["name"]})}, showing=showing
            )
    [does] = [one["does"] for one in (*deck["verdicts"], *deck["steps"]) if one["key"].lower() == key.lower()]
    if does in ("undo", "redo", "back", "forward", "more"):
        return send(app, {"id": id, "kind": does, "action": deck["undo"]}, showing=id)
    return send(app, {"id": id, "kind": does}, showing=showing)


def part(app: AppTest, name: str) -> Any:
    """What the component that draws that part of Review was given."""
    assert not app.exception, app.exception
    return next(data for data in components(app) if data.get("part") == name)


def on_screen(app: AppTest) -> str:
    """The id of the example that Review shows."""
    return str(part(app, "deck")["at"])


def item(app: AppTest) -> Any:
    """What the deck was given on the example that Review shows, its words lit if the evidence is there."""
    found = [data["item"] for data in components(app) if data.get("part") == "evidence"]
    return found[0] if found else part(app, "deck")["cases"][0]
