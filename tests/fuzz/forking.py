"""A process with everything imported that runs each command in a fork of its own, so that a thousand take minutes.

    python tests/fuzz/forking.py      a JSON object a line on stdin: {"argv": […]} or {"pages": […], "root": …}, and "folder"

A fork has the limits that the suite holds commands to. The answer is a line as well: how it ended, in how many seconds of a
processor (of the clock where it had to be ended), the most memory it held, and what it wrote.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple, TextIO

ROOT = Path(__file__).parents[2]
SECONDS, GIGABYTES = 30, 2
PATIENCE = 4 * SECONDS  # of the clock: other work may keep the machine busy
OUTPUT = 1 << 20  # characters of stdout that are kept: enough to compare what short commands print


class Ended(NamedTuple):
    """How a fork ended; the code is negative where a signal ended it."""

    code: int
    seconds: float
    bytes: int  # of memory, at most, what it shares with its parent counted
    out: str
    err: str


class Forks:
    """The process, started once; `run` may be called from one thread."""

    def __init__(self) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def run(self, **task: Any) -> Ended:
        """Run `argv`, or draw `pages`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve(answers: TextIO) -> None:
    for line in sys.stdin:
        task = json.loads(line)
        folder = Path(task["folder"])
        out, err = folder / ".stdout", folder / ".stderr"
        begun = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(task, out, err)
        code, usage = _wait(pid, begun)
        passed = time.monotonic() - begun
        seconds = passed if passed > PATIENCE else usage.ru_utime + usage.ru_stime
        ended = Ended(code, seconds, usage.ru_maxrss * 1024, _read(out), _read(err))
        answers.write(json.dumps(ended._asdict()) + "\n")
        answers.flush()


def _wait(pid: int, begun: float) -> tuple[int, resource.struct_rusage]:
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage
        if time.monotonic() - begun > PATIENCE:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.003)


def _read(file: Path) -> str:
    return file.read_bytes()[:OUTPUT].decode("utf-8", "backslashreplace") if file.is_file() else ""


def _child(task: dict[str, Any], out: Path, err: Path) -> None:
    """Become the command, and never return."""
    code = 1
    try:
        os.setsid()
        for descriptor, file in ((1, out), (2, err)):
            opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            os.dup2(opened, descriptor)
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
        sys.stdout = open(1, "w", encoding="utf-8", errors="strict", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        mapped = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1])  # noqa: SIM115, PTH123
        limit = mapped + (GIGABYTES << 30) + (1 << 29)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 1,) * 2)
        os.environ.update(task.get("environment", {}))
        if "user" in task:
            os.setgid(task["user"])
            os.setuid(task["user"])
        os.chdir(task["folder"])
        code = _command(task["argv"]) if "argv" in task else _pages(task)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _command(argv: list[str]) -> int:
    from influence.cli import main

    return main(argv)


def _pages(task: dict[str, Any]) -> int:
    """Draw pages one after another, with something done to the folder before some of them; 3 where one shows an exception."""
    import shutil

    from streamlit.testing.v1 import AppTest

    os.environ["WORDTRACE_WORKSPACES"] = task["root"]
    code = 0
    for step in task["pages"]:
        if "delete" in step:
            shutil.rmtree(step["delete"])
            continue
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
        if step["page"] != "home":
            app.switch_page(f"pages/{step['page']}.py")
        for name, value in step.get("parameters", {}).items():
            app.query_params[name] = value
        app.run()
        for found in app.exception:
            code = 3
            print(step, found.message, *found.stack_trace, sep="\n", file=sys.stderr)
        for kind in ("error", "warning"):
            for element in getattr(app, kind):
                print(step["page"], kind, element.value)
        for element in app.get("html"):
            print(step["page"], "html", element.proto.body)
    return code


def warm() -> None:
    """Import what commands and pages import, and start no thread: a fork has none but its first."""
    import datasets  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sklearn.manifold  # noqa: F401
    import streamlit.testing.v1  # noqa: F401
    import torch
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    for package in (ROOT / "influence", ROOT / "pages" / "ui"):
        for file in sorted(package.rglob("*.py")):
            if file.stem != "__main__":
                importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    get_checkpoint_conversion_mapping("bert")  # a second, the first time
    torch.set_num_threads(1)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing that a library prints gets between the answers
    warm()
    _serve(own)
