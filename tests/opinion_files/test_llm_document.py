"""The lines of docs/opinions.md that ask an LLM, run as they stand against a server of our own, a hostile one, too."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tiny import rows, write_csv

from influence.cli import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "opinions.md"
TRUE = {text: label for _, text, label in rows(60, seed=1)}
BAD = (
    "not json",
    '{"choices": []}',
    '{"choices": 5}',
    "[]",
    '{"choices": [{"message": {"content": null}}]}',
    "\xff",
    "refuse",
    "cut",
)


class Llm(BaseHTTPRequestHandler):
    """Answers with the right label; to every fourth question with something that is no answer."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        """One question."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
        number, text = len(self.asked) - 1, body["messages"][1]["content"]
        said = {"choices": [{"message": {"role": "assistant", "content": f" {TRUE[text].upper()}.\n"}}]}
        content = json.dumps(said).encode()
        if number % 4 == 3:
            bad = BAD[number // 4 % len(BAD)]
            if bad == "refuse":
                self.send_error(429, "slow down")
                return
            content = b"" if bad == "cut" else bad.encode("latin-1")
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) or 100))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def llm() -> Iterator[str]:
    Llm.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Llm)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_llm_is_asked_and_counts(
    llm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"^```py\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len([line for line in code.splitlines() if line.strip()]) == 21
    monkeypatch.chdir(tmp_path)
    for name, value in {"BASE_URL": llm, "API_KEY": "secret", "MODEL": "tiny-llm"}.items():
        monkeypatch.setenv(f"OPENAI_{name}", value)
    train = write_csv(tmp_path / "train.csv", rows(60, seed=1))
    test = write_csv(tmp_path / "test.csv", rows(20, seed=2, prefix="t"))
    given = ["--id", "id", "--model", "cnn", "--epochs", "1", "--encoder", "none", "--workspace", "workspaces/mine"]
    assert main(["build", "--train", train, "--test", test, *given]) == 0
    exec(compile(code, "ask.py", "exec"), {})
    first = Llm.asked[0]
    assert (first["path"], first["key"], first["model"]) == ("/v1/chat/completions", "Bearer secret", "tiny-llm")
    assert first["messages"][0]["content"].endswith('nothing else: ["neg", "pos"]')
    assert len(Llm.asked) == 60
    lines = [json.loads(line) for line in (tmp_path / "gpt.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = {id: label for id, _, label in rows(60, seed=1)}
    assert len(lines) == 45, "what is no answer is no opinion"
    assert all(line == {"example_id": line["example_id"], "label": labels[line["example_id"]]} for line in lines)
    capsys.readouterr()
    assert main(["suspects", "--workspace", "workspaces/mine", "--opinions", "gpt.jsonl", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["opinions"][-1]["name"], found["opinions"][-1]["examples"]) == ("gpt", 45)
