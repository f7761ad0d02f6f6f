"""What the deck sends: the presses that it has had no answer to, in order. Whatever a browser sends is looked at here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pages.ui.parts import verdicts

OTHERS = ("undo", "redo", "note", "back", "forward", "reopen", "more")  # kinds of presses that decide nothing
LONGEST = 5_000  # characters of a text
MOST = 500  # presses sent together
LONGEST_MS = 86_400_000


@dataclass(frozen=True)
class Press:
    """One press, for the example that was on screen when it was made."""

    seq: int  # from 1, in the order of the presses
    kind: str
    id: str = ""
    label: str = ""
    words: tuple[str, ...] = ()
    text: str = ""
    queue: str = ""
    ms: int = 0  # that the example had been on screen
    proven: bool = False  # whether its evidence was on screen, too
    of: int = 0  # the press that is undone
    action: int = 0  # or the action, where it is from before this deck

    @property
    def decides(self) -> bool:
        """Whether it decides, flags or skips its example."""
        return self.kind in verdicts.WORDINGS

    @classmethod
    def read(cls, sent: Any) -> Self | None:
        """A press as it was sent; None where that makes no sense."""
        if not isinstance(sent, Mapping) or sent.get("kind") not in (*verdicts.WORDINGS, *OTHERS):
            return None
        seq, ms, of, action = (_number(sent.get(name)) for name in ("seq", "ms", "of", "action"))
        id, label, text, queue = (str(sent.get(name) or "")[:LONGEST] for name in ("id", "label", "text", "queue"))
        words = sent.get("words")
        found = tuple(str(word)[:LONGEST] for word in words[:MOST]) if isinstance(words, list) else ()
        if seq < 1:
            return None
        return cls(seq, str(sent["kind"]), id, label, found, text, queue, ms, sent.get("proven") is True, of, action)


@dataclass(frozen=True)
class Batch:
    """Presses of one deck, and the example that it shows by now; "" where it waits for one."""

    token: str
    presses: tuple[Press, ...]
    showing: str

    @classmethod
    def read(cls, sent: Any) -> Self | None:
        """A batch as it was sent; None where that makes no sense."""
        if not isinstance(sent, Mapping) or not isinstance(sent.get("presses"), list) or not sent.get("token"):
            return None
        presses = [press for one in sent["presses"][:MOST] if (press := Press.read(one)) is not None]
        return cls(str(sent["token"])[:100], tuple(presses), str(sent.get("showing") or "")[:LONGEST])


def _number(value: Any) -> int:
    sensible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LONGEST_MS
    return value if sensible else 0
