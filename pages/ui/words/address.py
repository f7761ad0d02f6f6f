"""What the address of the Words page says: which mistakes, filters and order of the words, or one word."""

from collections.abc import Mapping
from dataclasses import dataclass

import influence
from influence.explanations import MistakeFilter
from pages.ui.frame import Address

SHOW = {"words": "Words", "all": "With stop words"}
SORTS = {"against": "pull against", "score": "on balance", "mistakes": "mistakes", "examples": "examples"}
SUGGESTED = {"all": "All", "changed": "Another label suggested"}


@dataclass(frozen=True, kw_only=True)
class WordsAddress(Address):
    """Every field is one parameter of the address."""

    label: str = ""
    predicted: str = ""
    q: str = ""
    show: str = "words"
    sort: str = "against"
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


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[WordsAddress, list[str]]:
    """The address as far as it makes sense; a word is looked up where it is used."""
    labels = workspace.info.labels
    allowed = {"label": labels, "predicted": labels, "show": SHOW, "sort": SORTS, "suggested": SUGGESTED}
    ranges = {"page": (1, 10**6), "part": (1, 10**6)}
    return WordsAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges=ranges)
