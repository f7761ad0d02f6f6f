"""A tiny real workspace of hostile texts, the pages under AppTest, and a real server with a real browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as Streamlit does with the folder of app.py

from streamlit.testing.v1 import AppTest  # noqa: E402

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
IMAGE = "![m](http://h.example/x.png)"
PLAIN = "plain"
HOSTILE_ID = "<img src=x onerror=alert(3)>"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TEST_IDS = [HOSTILE_ID, *(f"test-{number}" for number in range(1, 30))]


def _rows(count: int, ids: list[str], *, wrong_every: int, plain_too: bool) -> list[dict[str, str]]:
    """Sentences whose label follows from a word of theirs; every third holds markup, as do two labels; some are wrong."""
    words = ("film", "plot", "actor", "scene", "story", "the", "a")
    rows = []
    for number in range(count):
        good, plain = number % 2 == 0, plain_too and number % 10 == 9
        picked = [words[(number * step) % len(words)] for step in (1, 2, 3)]
        text = " ".join([*picked, "odd" if plain else "good" if good else "bad", ("", SCRIPT, IMAGE)[number % 3]]).strip()
        if number == 1:
            text = "A film 🎬 with a second line\nand a tab\there, " + "so long that it is cut " * 12 + "before this end"
        told = good != (number % wrong_every == wrong_every - 1)
        rows.append({"id": ids[number], "text": text, "label": PLAIN if plain else SCRIPT if told else IMAGE})
    return rows


def build(path: Path, *, pairs: bool = False) -> None:
    """Build a small workspace there, as `python -m influence build` would."""
    from influence.data.dataset import Columns
    from influence.workspace.build import build_workspace
    from influence.workspace.build_request import BuildRequest, training_settings

    data = path.parent / f"{path.name}-data"
    data.mkdir(parents=True, exist_ok=True)
    files = {}
    train_ids = [f"{HOSTILE_ID}{number}" if number % 5 == 0 else f"train-{number}" for number in range(60)]
    for split, ids, wrong_every in (("train", train_ids, 11), ("test", TEST_IDS, 4)):
        rows = _rows(len(ids), ids, wrong_every=wrong_every, plain_too=pairs)
        for row in rows if pairs else []:
            row["second"] = f"and then {row['text']}"
        file = data / f"{split}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        files[split] = str(file)
    columns = Columns(id="id", text_pair="second" if pairs else None)
    training = training_settings("cnn", epochs=2, learning_rate=0.1, batch_size=8)
    build_workspace(path, BuildRequest(**files, columns=columns, training=training, max_length=40))


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one workspace of single texts, `tiny`."""
    root = tmp_path_factory.mktemp("workspaces")
    build(root / "tiny")
    shutil.rmtree(root / "tiny-data")
    return root


@pytest.fixture(scope="session")
def pair_workspaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one workspace of text pairs and three labels, `pairs`."""
    root = tmp_path_factory.mktemp("pair-workspaces")
    build(root / "pairs", pairs=True)
    shutil.rmtree(root / "pairs-data")
    return root


@pytest.fixture(scope="session")
def judged_workspaces(workspaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with `tiny` again, its suspects and clusters computed without further training."""
    from influence.clusters.compute import write_clusters
    from influence.opinions.settings import OpinionSettings
    from influence.suspects.compute import write_suspects

    root = tmp_path_factory.mktemp("judged")
    shutil.copytree(workspaces / "tiny", root / "tiny")
    write_suspects(root / "tiny", OpinionSettings(encoder="none"))
    write_clusters(root / "tiny")
    return root


@pytest.fixture
def root(judged_workspaces: Path, tmp_path: Path) -> Iterator[Path]:
    """A root with a copy of `tiny` and its suspects, for a test that decides. A module that wants another gives its own."""
    from reviewing_app import own_workspace

    with own_workspace(judged_workspaces, tmp_path) as folder:
        yield folder


@pytest.fixture
def workspace(root: Path) -> Any:
    """The workspace `tiny` of the root, open."""
    import influence

    return influence.open_workspace(root / "tiny")


@pytest.fixture
def open_as(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Runs a page of the root in somebody's name: see `reviewing_app.opener`."""
    from reviewing_app import opener

    return opener(root, monkeypatch)


@pytest.fixture
def open_page(workspaces: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Runs a page at an address: `open_page("explore", id="test-1")`."""

    def opened(page: str, /, *, root: Path = workspaces, **parameters: str) -> AppTest:
        monkeypatch.setenv("WORDTRACE_WORKSPACES", str(root))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if page != "home":
            app.switch_page(f"pages/{page}.py")
        for name, value in parameters.items():
            app.query_params[name] = value
        return app.run()

    return opened


def components(app: AppTest) -> list[dict[str, Any]]:
    """What the page gave its own components."""
    return [json.loads(element.proto.json) for element in app.get("bidi_component")]


def trigger(app: AppTest, component: Callable[[dict[str, Any]], bool], event: str, value: Any) -> AppTest:
    """Have the one component whose data are such send an event, as its script does."""
    [element] = [one for one in app.get("bidi_component") if component(json.loads(one.proto.json))]
    states = app._tree.get_widget_states()
    state = states.widgets.add()
    state.id = f"$$STREAMLIT_INTERNAL_KEY_{element.proto.id}__events"
    state.json_trigger_value = json.dumps([{"event": event, "value": value}])
    app._run(states)
    assert not app.exception, app.exception
    return app


def shown(app: AppTest) -> str:
    """Everything a page says, as one text: HTML, component data, labels, messages."""
    parts = [element.proto.body for element in app.get("html")]
    parts += [json.dumps(data, ensure_ascii=False) for data in components(app)]
    parts += [element.value for kind in ("markdown", "error", "warning", "info", "caption") for element in app.get(kind)]
    parts += [element.proto.label for element in app.get("page_link")]
    parts += [button.label for button in app.button]
    return "\n".join(parts)


def parameters_of(app: AppTest) -> dict[str, str]:
    """The address's parameters; AppTest holds some as lists."""
    return {name: value[-1] if isinstance(value, list) else value for name, value in app.query_params.items()}


def joined(sides: list[list[list[Any]]]) -> list[str]:
    """The texts that a component's pieces make up."""
    return ["".join(piece[0] for piece in side) for side in sides]


# A real server and a real browser ---------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(
    root: Path,
    *options: str,
    environment: dict[str, str] | None = None,
    output: Path | None = None,
    program: Sequence[str] = (sys.executable, "-m", "influence"),
    folder: Path = ROOT,
) -> tuple[subprocess.Popen[bytes], str]:
    """Start `python -m influence serve` on a root; returns the process and its address. `output`: what it says goes there.

    `program` is another way to call it, `folder` where it is called.
    """
    port = free_port()
    command = [*program, "serve", "--workspace-root", str(root), "--port", str(port), *options]
    env = {**os.environ, **(environment or {})}
    # In a session of its own, so that stopping it stops the server it starts, too.
    said = (output or Path(os.devnull)).open("wb")
    with said:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said, start_new_session=True)
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}"
        if process.poll() is not None:
            break
        time.sleep(0.1)
    stop(process)
    raise AssertionError("the server did not start")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server of `serve` and wait until it has gone."""
    import signal

    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def server(workspaces: Path) -> Iterator[str]:
    """The address of a running server on the tiny workspace."""
    process, address = serve(workspaces)
    yield address
    stop(process)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless chromium. Without one the tests skip, or fail where REQUIRE_BROWSER is set."""
    problem = None
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        problem = "playwright is not installed"
    if problem is None and not Path(CHROMIUM).is_file():
        problem = f"there is no chromium at {CHROMIUM} (set CHROMIUM)"
    if problem is not None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1, but {problem}")
        pytest.skip(problem)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()
