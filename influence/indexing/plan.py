"""How an index is made, and the pieces that it is made of; fixed before the first of them, and never by who makes them.

BUILD/index/how.json      settings, checkpoints, kind of device, threads: with the same, the same bytes
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from influence import seals
from influence.errors import SettingsError, WorkspaceError
from influence.files import UNREADABLE, read_json, write_json
from influence.sealed import is_finished
from influence.segments import PLAN, IndexSettings, read_plan

HOW = "how.json"
SPLITS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class How:
    """How an index is made. Sums of floats come out otherwise on another kind of device or with other threads."""

    top_k: int
    store_rest: bool
    exact: bool
    bf16: bool
    checkpoints: int
    device: str  # cpu or cuda
    threads: int  # of PyTorch's

    def settings(self, split: str) -> IndexSettings:
        """Of test examples, float32 rows of the top-k positions, which go when the results are there."""
        if split == "test":
            return IndexSettings(top_k=self.top_k, exact=True, features=False)
        return IndexSettings(top_k=self.top_k, store_rest=self.store_rest, exact=self.exact)


def settle(build: Path, how: How) -> How:
    """Keep how the index is made; as it was kept, where a process has begun it already.

    Raises `SettingsError` where this process has another kind of device than that one.
    """
    file = build / "index" / HOW
    if not is_settled(build):
        write_json(file, seals.sealed_json(asdict(how)))
    return check_device(build, how.device)


def check_device(build: Path, device: str) -> How:
    """How an index is made. Raises `SettingsError` where this process has another kind of device than the one that began it."""
    kept = read_how(build)
    if kept.device != device:
        raise SettingsError(
            f"--device {device}: the index was begun on {kept.device}, and its parts would not fit to the last digit; "
            f"give --device {kept.device}"
        )
    return kept


def is_settled(build: Path) -> bool:
    """Whether all that the pieces are made of is there."""
    return (build / "index" / HOW).is_file()


def read_how(build: Path) -> How:
    """What `settle` kept. Raises `WorkspaceError` where it is not what was written."""
    file = build / "index" / HOW
    try:
        content = dict(read_json(file))
        seals.check_json(content, required=True)
        content.pop(seals.DIGEST)
        return How(**content)
    except UNREADABLE as error:
        raise WorkspaceError(f"{str(file)!r} cannot be read ({error}); build the workspace again") from error


def missing(build: Path) -> dict[str, list[int]]:
    """The segments that are not there and whole at every checkpoint, by split."""
    count = read_how(build).checkpoints
    return {
        split: [
            segment.number
            for segment in read_plan(build / "index" / split)
            if not all(is_finished(build / "index" / split / segment.name / str(number)) for number in range(count))
        ]
        for split in SPLITS
    }


def made_of(build: Path) -> str:
    """A digest of all that the pieces are made of: the model at every checkpoint, the tokens, and the plan."""
    digest = hashlib.sha256()
    index = build / "index"
    files = [*build.glob(f"checkpoints/**/{seals.HASHES}"), *index.glob(f"*/encoding/{seals.HASHES}"), *index.glob(f"*/{PLAN}")]
    for file in sorted([*files, index / HOW]):
        digest.update(f"{file.relative_to(build).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()
