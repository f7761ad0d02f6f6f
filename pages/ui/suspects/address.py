"""What the address of Suspects says: a list one by one, by cause or by word, or one suspect, cause, word or test error.

The groupings have pages of their own, so each has an address of its own, and one of before still leads there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import influence
from influence.clusters import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD, ClusterOrder
from influence.explanations import MistakeFilter
from influence.suspects import SuspectFilter
from pages.ui.frame import Address
from pages.ui.parts import SORTS

CHANGED = {"changed": "Another suggested", "all": "All"}
DECIDED = {"": "not decided", "yes": "decided", "all": "all"}
UNDECIDED = "no"  # of addresses from when decided ones were listed, too
LEAST, MOST, STEP = 0.05, 1.0, 0.05  # of the threshold
CAUSE_ORDERS = {"worth": "doubt in their labels", "mistakes": "mistakes pushed", "size": "size"}
SMALLEST, LARGEST = 2, 30  # of the minimum size
WORDS_SHOWN = {"words": "Words", "all": "With function words"}
WORD_ORDERS = {"against": "pull against", "score": "on balance", "mistakes": "mistakes", "examples": "examples"}


@dataclass(frozen=True, kw_only=True)
class SuspectsAddress(Address):
    """One by one. Every field is one parameter of the address."""

    show: str = "changed"
    q: str = ""
    label: str = ""
    suggested: str = ""
    decided: str = ""
    sort: str = "-suspicion"
    page: int = 1
    test: str = ""  # the suspects behind this test error only
    id: str = ""  # the evidence on this suspect

    def filter(self, decided_ids: Sequence[str]) -> SuspectFilter:
        """The list's conditions, given what anybody has decided."""
        return SuspectFilter(
            label=self.label or None,
            suggested_label=self.suggested or None,
            changed=True if self.show == "changed" else None,
            text=self.q,
            among=decided_ids if self.decided == "yes" else None,
            without=decided_ids if self.decided in ("", UNDECIDED) else None,
        )

    def listing(self) -> "SuspectsAddress":
        """The list without what was picked from it."""
        return self.at(test="", id="")

    def in_words(self) -> str:
        """The filter as a person would say it, but for who has been decided."""
        parts = ["another label suggested"] if self.show == "changed" else []
        parts += [f"labelled {self.label}"] if self.label else []
        parts += [f"suggested {self.suggested}"] if self.suggested else []
        parts += [f"containing {self.q!r}"] if self.q else []
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class CausesAddress(Address):
    """By cause: where the dendrogram is cut, and which cluster is looked at."""

    threshold: float = DEFAULT_THRESHOLD
    size: int = DEFAULT_MIN_SIZE
    show: str = "all"
    order: ClusterOrder = "worth"
    decided: str = ""
    cluster: int = -1
    page: int = 1


@dataclass(frozen=True, kw_only=True)
class WordsAddress(Address):
    """By word: which mistakes, which words in which order, or the training examples of one word."""

    label: str = ""
    predicted: str = ""
    q: str = ""
    show: str = "words"
    sort: str = "against"
    decided: str = ""
    page: int = 1
    word: str = ""  # case folded: its training examples instead of the list
    suggested: str = "all"  # which of these
    part: int = 1  # page of these

    @property
    def filter(self) -> MistakeFilter:
        """The mistakes to sum over."""
        return MistakeFilter(label=self.label or None, predicted=self.predicted or None)

    def of_word(self, word: str) -> "WordsAddress":
        """The examples of a word; the list with "". The list's page stays for the way back."""
        return self.at(word=word, suggested="all", part=1)

    def in_words(self) -> str:
        """The mistakes as a person would say it."""
        parts = [f"of {self.label}"] if self.label else []
        parts += [f"taken for {self.predicted}"] if self.predicted else []
        return " ".join(parts)


def read_suspects(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[SuspectsAddress, list[str]]:
    """The address as far as it makes sense; ids are looked up where they are used."""
    labels = workspace.info.labels
    allowed = {"show": CHANGED, "label": labels, "suggested": labels, "decided": [*DECIDED, UNDECIDED], "sort": SORTS}
    return SuspectsAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges={"page": (1, 10**6)})


def read_causes(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[CausesAddress, list[str]]:
    """The address as far as it makes sense; a cluster is looked up where it is used."""
    ranges = {"threshold": (LEAST, MOST), "size": (SMALLEST, LARGEST), "cluster": (0, 10**7), "page": (1, 10**6)}
    allowed = {"show": CHANGED, "order": CAUSE_ORDERS, "decided": ["", "all"]}
    return CausesAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges=ranges)


def read_words(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[WordsAddress, list[str]]:
    """The address as far as it makes sense; a word is looked up where it is used."""
    labels = workspace.info.labels
    allowed = {
        "label": labels,
        "predicted": labels,
        "show": WORDS_SHOWN,
        "sort": WORD_ORDERS,
        "suggested": CHANGED,
        "decided": ["", "all"],
    }
    return WordsAddress.read(
        parameters, workspace=workspace.name, allowed=allowed, ranges={"page": (1, 10**6), "part": (1, 10**6)}
    )
