"""Files of opinions from strangers, read in a process of their own: what one does to the library that reads it ends there.

python -m influence.opinion_files.apart    a request on stdin, the answer on stdout, both a line of JSON
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from influence import errors
from influence.errors import DataError, WordtraceError

SECONDS, MEMORY = 120, 8 << 30  # that reading a file may take
ROOT = Path(__file__).resolve().parents[2]


def add_files_apart(path: str | Path, files: Sequence[str], *, seconds: int = SECONDS) -> list[str]:
    """`add_files` with the workspace at a path, in another process with limits of time and memory.

    Raises as it does, and `DataError` for a file that is too much.
    """
    names = [str(Path(file).resolve()) for file in files]
    asked = {"path": str(Path(path).resolve()), "files": names, "seconds": seconds}
    command = [sys.executable, "-m", "influence.opinion_files.apart"]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked).encode(), capture_output=True, cwd=ROOT, timeout=2 * seconds + 30, check=False
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise DataError(
            f"{', '.join(names)}: the file cannot be read: it is damaged, or takes more than {seconds} s or "
            f"{MEMORY >> 30} GB; give it to the command, which has no such limits"
        ) from error
    if "error" in answer:
        kind = getattr(errors, str(answer["kind"]), DataError)
        raise (DataError if kind is errors.EncodingUnsure else kind)(answer["error"])
    return list(answer["notes"])


def _limit(seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is left
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from influence.opinion_files.keeping import add_files
    from influence.workspace import opened

    try:
        with opened(Path(asked["path"])) as workspace:
            return {"notes": add_files(workspace, asked["files"])}
    except WordtraceError as error:
        return {"error": str(error), "kind": type(error).__name__}


def main() -> None:
    """Answer one request."""
    asked = json.loads(sys.stdin.readline() or "{}")
    _limit(int(asked["seconds"]))
    sys.stdout.write(json.dumps(_answer(asked)) + "\n")


if __name__ == "__main__":
    main()
