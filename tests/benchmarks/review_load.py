"""Many reviewers at once: the seconds from a key to the next case, CPU seconds a decision, and the server's memory.

    python tests/benchmarks/review_load.py --workspace DIR [--before TREE] [--clients 1,20,50] [--decisions 10] [--json]

Each client speaks the browser's own protocol (Streamlit's messages over a web socket to 127.0.0.1): it opens the queue, looks at
a case for `--think` seconds, presses a key, and waits until the case after it has come with buttons of its own. All begin at
once, and press their first keys once all have a case: what opening a page costs is told apart from decisions. With `--before`,
another checkout of this repository, both are measured in turn on the same machine, client count by client count. Decisions go to
a copy of the workspace. CPU seconds are those of the server's process; the clients' own are not in them, though they take from
the same cores. Bounded by the counts given, and by 120 seconds a wait.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[2]
DECISIONS = ("keep", "flag", "keep", "skip", "keep", "remove")  # what is pressed, in turn
TOO_EARLY = "came before this example could be read"  # a busy server may take a key for one that nobody can have meant
LONGEST = 120.0  # seconds that any answer may take
MB = 1 << 20


class Figures(NamedTuple):
    """What one round of clients found."""

    clients: int
    decisions: int
    opened: float  # median seconds until the first case was there
    median: float
    p95: float
    open_cpu: float  # seconds of the server for a page that is opened, with its first case
    cpu: float  # seconds of the server a decision
    seconds: float  # the whole round
    megabytes: float  # of the server after it


class Client:
    """One browser on the Review page, as far as its server can tell."""

    def __init__(self, socket: Any, query: str) -> None:
        self.socket, self.query = socket, query
        self.buttons: dict[str, tuple[str, str]] = {}  # by its key in the page: the widget's id, and its fragment's
        self.chosen: dict[str, str] = {}  # by a switch's id: which of its options is on; a browser sends that each time
        self.heart: tuple[float, str] | None = None  # seconds, and the fragment that is drawn again as often
        self.deck: dict[str, Any] = {}  # what the component was given that shows the case, with its id and its fragment's
        self.case, self.run, self.early = "", 0, 0
        self.changed = asyncio.Condition()

    async def listen(self) -> None:
        """Take in what the server sends, until it ends."""
        with suppress(websockets.ConnectionClosed):
            async for data in self.socket:
                message = ForwardMsg.FromString(data)
                self._take(message)
                async with self.changed:
                    self.changed.notify_all()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.heart = (message.auto_rerun.interval, message.auto_rerun.fragment_id)
        elif kind == "script_finished":
            self.run += 1
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            self._see(element, message.delta.fragment_id)

    def _see(self, element: Any, fragment: str) -> None:
        if element.WhichOneof("type") in ("button", "button_group"):
            found = getattr(element, element.WhichOneof("type"))
            key = found.id.split("-", 2)[-1]
            self.buttons[key] = (found.id, fragment)
            if element.WhichOneof("type") == "button_group":
                if found.default and found.options:
                    self.chosen.setdefault(found.id, found.options[found.default[0]].content)
            elif key.startswith("keep_") and not found.disabled:
                self.case = key.removeprefix("keep_")
        elif element.WhichOneof("type") == "bidi_component" and '"part": "deck"' in element.bidi_component.json:
            content = json.loads(element.bidi_component.json)
            self.deck = {**content, "widget": element.bidi_component.id, "fragment": fragment}
            self.case = content["at"] or ""
        elif element.WhichOneof("type") == "html" and TOO_EARLY in element.html.body:
            self.early += 1

    async def ask(self, *, pressed: str = "", fragment: str = "") -> None:
        """Have the script run: at first whole, then for a button, or for a fragment whose time has come."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name = self.query, "review"
        state.context_info.url = "http://127.0.0.1/review"
        for id, option in self.chosen.items():
            widget = state.widget_states.widgets.add()
            widget.id = id
            widget.string_array_value.data.append(option)
        if pressed in self.buttons:
            id, fragment = self.buttons[pressed]
            widget = state.widget_states.widgets.add()
            widget.id, widget.trigger_value = id, True
        elif pressed:
            fragment = self.deck["fragment"]
            widget = state.widget_states.widgets.add()
            widget.id = f"$$STREAMLIT_INTERNAL_KEY_{self.deck['widget']}__events"
            widget.json_trigger_value = json.dumps([{"event": "pressed", "value": self.press(pressed.partition("_")[0])}])
        state.fragment_id = fragment
        await self.socket.send(message.SerializeToString())

    def press(self, kind: str) -> dict[str, Any]:
        """A decision on the case on screen, as the deck's script sends it."""
        ids = [case["id"] for case in self.deck["cases"]]
        press = {"seq": self.deck["answered"]["seq"] + 1, "kind": kind, "id": ids[0], "ms": 500, "proven": True}
        return {"token": "load", "presses": [press], "showing": ids[1] if len(ids) > 1 else ""}

    async def until(self, condition: Any) -> None:
        """Wait until something has come; raises `TimeoutError` where it does not."""
        async with asyncio.timeout(LONGEST), self.changed:
            await self.changed.wait_for(condition)

    async def beat(self) -> None:
        """Draw again what is to be drawn every so often: that is how a case stays leased."""
        while True:
            await asyncio.sleep(self.heart[0] if self.heart else 1.0)
            if self.heart:
                await self.ask(fragment=self.heart[1])


async def connected(port: int, name: str, query: str) -> tuple[Client, list[asyncio.Task[None]]]:
    """A client whose page has been asked for."""
    headers = {"Cookie": f"wordtrace_reviewer={name}"}
    found = await websockets.connect(
        f"ws://127.0.0.1:{port}/_stcore/stream", additional_headers=headers, max_size=None,
        subprotocols=[websockets.Subprotocol("streamlit")], open_timeout=LONGEST, compression=None,
    )  # fmt: skip
    client = Client(found, query)
    tasks = [asyncio.create_task(client.listen()), asyncio.create_task(client.beat())]
    await client.ask()
    return client, tasks


async def make_queue(port: int, workspace: str) -> str:
    """Make a queue of all there is, as a reviewer would; returns its id."""
    client, tasks = await connected(port, "maker", f"workspace={workspace}")
    await client.until(lambda: any(key.startswith("source_") for key in client.buttons) and client.run)
    source = next(key for key in ("source_suspects", "source_contradicted") if key in client.buttons)
    client.chosen[client.buttons["queue_size"][0]] = "all"
    await client.ask(pressed=source)
    await client.until(lambda: "queue=" in client.query and client.case)
    queue = dict(part.split("=") for part in client.query.split("&"))["queue"]
    await client.ask(pressed="review_queues")
    await client.until(lambda: "queue=" not in client.query)
    await ended(client, tasks)
    return queue


async def ended(client: Client, tasks: list[asyncio.Task[None]]) -> None:
    """Close the browser."""
    await client.socket.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def review(
    port: int, name: str, query: str, decisions: int, think: float, all_open: asyncio.Barrier
) -> tuple[float, list[float]]:
    """One reviewer: seconds to the first case, then, once all have theirs, from each press to the next one."""
    begun = time.perf_counter()
    client, tasks = await connected(port, name, query)
    await client.until(lambda: client.case)
    opened, seconds = time.perf_counter() - begun, []
    await all_open.wait()
    for number in range(decisions):
        await asyncio.sleep(think)
        before, key = client.case, f"{DECISIONS[number % len(DECISIONS)]}_{client.case}"
        await client.until(lambda key=key: key in client.buttons or client.deck.get("at") == client.case)
        pressed = time.perf_counter()
        while client.case == before:
            refused = client.early
            await client.ask(pressed=key)
            await client.until(lambda before=before, refused=refused: client.case != before or client.early > refused)
            await asyncio.sleep(think if client.case == before else 0)
        seconds.append(time.perf_counter() - pressed)
    await ended(client, tasks)
    return opened, seconds


async def together(port: int, server: psutil.Process, query: str, clients: int, decisions: int, think: float) -> Figures:
    """A round of clients at once."""
    before, begun = cpu_of(server), time.perf_counter()
    names = [f"r{time.time_ns()}x{number}" for number in range(clients)]
    all_open = asyncio.Barrier(clients + 1)
    reviews = [asyncio.create_task(review(port, name, query, decisions, think, all_open)) for name in names]
    async with asyncio.timeout(LONGEST):
        await all_open.wait()
    between = cpu_of(server)
    found = await asyncio.gather(*reviews)
    seconds = sorted(one for _, times in found for one in times)
    whole = time.perf_counter() - begun
    await asyncio.sleep(2)  # what is still being prepared in the background counts, too
    open_cpu, cpu = (between - before) / clients, (cpu_of(server) - between) / len(seconds)
    opened = statistics.median(first for first, _ in found)
    p95 = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    memory = server.memory_info().rss / MB
    return Figures(clients, len(seconds), opened, statistics.median(seconds), p95, open_cpu, cpu, whole, memory)


def cpu_of(server: psutil.Process) -> float:
    """CPU seconds of the server's process so far."""
    times = server.cpu_times()
    return float(times.user + times.system)


@contextmanager
def served(tree: Path, workspace: Path) -> Iterator[tuple[int, psutil.Process, str]]:
    """A server of a checkout on a copy of the workspace with no decisions; its port, process and the workspace's name."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a job that is ending may still write there
        copy = Path(folder) / workspace.name
        copy.mkdir()
        shutil.copy(workspace / "workspace.json", copy / "workspace.json")
        shutil.copytree(workspace / "builds", copy / "builds")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = [sys.executable, tree / "pages" / "ui" / "frame" / "server.py", "--workspace-root", folder, "--port", str(port)]
        quiet = subprocess.DEVNULL if "LOUD" not in os.environ else None
        server = subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=tree)
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield port, psutil.Process(server.pid), copy.name
        finally:
            server.terminate()
            server.wait()


async def measure(tree: Path, workspace: Path, rounds: list[int], decisions: int, think: float) -> list[Figures]:
    """The rounds, one after another on one server."""
    with served(tree, workspace) as (port, server, name):
        queue = await make_queue(port, name)
        query = f"workspace={name}&queue={queue}"
        await together(port, server, query, 1, 2, think)  # a server's first decisions load what all later ones use
        return [await together(port, server, query, clients, decisions, think) for clients in rounds]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--before", type=Path, metavar="TREE", help="another checkout to measure first")
    parser.add_argument("--clients", default="1,20,50")
    parser.add_argument("--decisions", type=int, default=10, help="of each client")
    parser.add_argument("--think", type=float, default=1.0, help="seconds that each case is looked at")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = [int(one) for one in options.clients.split(",")]
    trees = {"before": options.before.resolve()} if options.before else {}
    found = {
        name: asyncio.run(measure(tree, options.workspace.resolve(), rounds, options.decisions, options.think))
        for name, tree in {**trees, "now": ROOT}.items()
    }
    if options.json:
        print(json.dumps({name: [one._asdict() for one in figures] for name, figures in found.items()}))
        return
    heads = f"{'clients':>8}{'decisions':>10}{'open s':>8}{'its CPU':>9}{'median s':>10}{'p95 s':>8}{'CPU s each':>12}{'MB':>7}"
    print(f"{'':<8}{heads}")
    for name, figures in found.items():
        for one in figures:
            row = f"{one.clients:>8}{one.decisions:>10}{one.opened:>8.2f}{one.open_cpu:>9.3f}{one.median:>10.2f}{one.p95:>8.2f}"
            print(f"{name:<8}{row}{one.cpu:>12.3f}{one.megabytes:>7.0f}")


if __name__ == "__main__":
    main()
