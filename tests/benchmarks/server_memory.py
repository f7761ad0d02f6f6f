"""The server's memory while one browser goes through all pages again and again.

    python tests/benchmarks/server_memory.py --workspace DIR [--before TREE] [--rounds 20] [--tests 10] [--json]

A round opens every page once, and in Explore as many test examples as `--tests`, each another one. The client speaks the
browser's own protocol, each page in a session of its own that ends before the next begins, as a browser's does that loads a page
anew. RSS is the server's process's, after each round. Bounded by the counts given, and by 120 seconds a page.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg

sys.path[0] = str(Path(__file__).resolve().parents[2])

from influence import open_workspace  # noqa: E402
from tests.benchmarks.review_load import LONGEST, MB, ROOT, Client, ended, served  # noqa: E402

PAGES = ("", "explore", "suspects", "clusters", "words", "review", "fix_list", "proof", "data_and_runs")


async def visit(port: int, page: str, query: str) -> None:
    """Open a page, wait until it has run, and leave."""
    found = await websockets.connect(
        f"ws://127.0.0.1:{port}/_stcore/stream", additional_headers={"Cookie": "wordtrace_reviewer=visitor"}, max_size=None,
        subprotocols=[websockets.Subprotocol("streamlit")], open_timeout=LONGEST, compression=None,
    )  # fmt: skip
    client = Client(found, query)
    listening = asyncio.create_task(client.listen())
    message = BackMsg()
    message.rerun_script.query_string, message.rerun_script.page_name = query, page
    message.rerun_script.context_info.url = f"http://127.0.0.1/{page}"
    await found.send(message.SerializeToString())
    await client.until(lambda: client.run)
    await ended(client, [listening])


async def measure(tree: Path, workspace: Path, rounds: int, tests: int) -> list[float]:
    """RSS in MB after each round."""
    opened = open_workspace(workspace)
    ids = [id for (id,) in opened.store.rows("select id from examples where split = 'test' order by position")]
    opened.close()
    found = []
    with served(tree, workspace) as (port, server, name):
        for number in range(rounds):
            for page in PAGES:
                await visit(port, page, f"workspace={name}")
            for at in range(number * tests, (number + 1) * tests):
                await visit(port, "explore", f"workspace={name}&show=all&id={ids[at % len(ids)]}")
            found.append(server.memory_info().rss / MB)
    return found


def main() -> None:
    """Measure, and print a row a tree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--before", type=Path, metavar="TREE", help="another checkout to measure first")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tests", type=int, default=10, help="examples of Explore in each round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    trees = {"before": options.before.resolve()} if options.before else {}
    found = {
        name: asyncio.run(measure(tree, options.workspace.resolve(), options.rounds, options.tests))
        for name, tree in {**trees, "now": ROOT}.items()
    }
    if options.json:
        print(json.dumps(found))
        return
    for name, sizes in found.items():
        print(f"{name:<8}MB after each round: {' '.join(f'{size:.0f}' for size in sizes)}")


if __name__ == "__main__":
    main()
