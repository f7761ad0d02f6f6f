"""What a workspace keeps chosen about its ranking of suspects, whoever computes it next.

WORKSPACE/suspects.json     the choices; without the file the usual ones hold
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from influence import seals
from influence.errors import SettingsError, WorkspaceError, WorkspaceNewer
from influence.files import write_json

CHOICES = "suspects.json"
VERSION = 1
DEFAULT_LEARN_EVERY, MOST_LEARN_EVERY = 50, 100_000


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How the test split may be used for the ranking, and how often the ranking learns from decisions."""

    test_labels_checked: bool = False  # somebody has checked them, so a model trained on the test split counts as an opinion
    use_test_balance: bool = True  # the opinions are scaled to how often each label occurs in the test split
    learn_every: int = DEFAULT_LEARN_EVERY  # decided examples until the ranking is made again; 0: only when asked for

    def __post_init__(self) -> None:
        for name in ("test_labels_checked", "use_test_balance"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} {getattr(self, name)!r}: must be true or false")
        every = self.learn_every
        if isinstance(every, bool) or not isinstance(every, int) or not 0 <= every <= MOST_LEARN_EVERY:
            raise SettingsError(
                f"learn_every {every!r}: give a whole number of decisions from 1 to {MOST_LEARN_EVERY:,}, "
                "after which the ranking is made again, or 0 for never"
            )


def read_choices(path: str | Path) -> Choices:
    """The choices of the workspace at a path.

    Raises `WorkspaceError` where the file makes no sense, and `WorkspaceNewer` where a newer Wordtrace wrote it.
    """
    file = Path(path) / CHOICES
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        seals.check_json(content, required=False)
        content.pop(seals.DIGEST, None)
        version = content.pop("version")
        if isinstance(version, int) and version > VERSION:
            raise WorkspaceNewer(
                f"{str(file)!r} has version {version}, this Wordtrace knows {VERSION}; install a newer Wordtrace"
            )
        if unknown := set(content) - {field.name for field in fields(Choices)}:
            raise ValueError(f"it knows no {sorted(unknown)[0]!r}")
        return Choices(**content)
    except FileNotFoundError:
        return Choices()
    except (OSError, ValueError, KeyError, TypeError, SettingsError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else error
        raise WorkspaceError(f"{str(file)!r} is damaged ({why}); delete it, and the usual choices hold again") from error


def write_choices(path: str | Path, choices: Choices) -> None:
    """Keep choices for the workspace at a path; on disk when this returns. Raises `WorkspaceError` where that fails."""
    file = Path(path) / CHOICES
    try:
        write_json(file, seals.sealed_json({"version": VERSION, **asdict(choices)}))
    except OSError as error:
        raise WorkspaceError(f"{str(file)!r} cannot be written: {error.strerror or error}") from error
