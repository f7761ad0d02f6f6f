"""What the address bar says Explore shows. State is read from it on every run and written to it only in callbacks.

Values from an address are untrusted: each is checked against what the workspace knows, and one that does not fit is
left out and named in `ignored`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import influence
from influence import DEFAULT_METHOD, METHODS
from pages.ui.frame import Address

SOURCES = {0: "Test sentences", 1: "Your own text"}
SHOW = {"wrong": "Wrong", "right": "Right", "all": "All"}
TOKENS = {"include": "with", "exclude": "without", "only": "only"}
FIRST, STEP, MOST = 10, 10, 200  # cards on each side
LONGEST_TEXT = 20_000


@dataclass(frozen=True, kw_only=True)
class ExploreAddress(Address):
    """Every field is one parameter of the address; fields at their default are left out of it."""

    longest: ClassVar[int] = LONGEST_TEXT

    show: str = "wrong"
    label: str = ""
    predicted: str = ""
    low: int = 0  # confidence in the predicted label, per cent
    high: int = 100
    q: str = ""
    page: int = 1
    id: str = ""
    own: int = 0  # one of `SOURCES`
    text: str = ""
    pair: str = ""
    target: str = ""  # the label whose loss is explained; empty: the given, else the predicted one
    method: str = DEFAULT_METHOD
    versus: str = ""  # a second method to stand beside it
    tokens: str = "include"
    top: int = FIRST
    pin: str = ""  # the training example whose pair is shown

    def filter(self) -> influence.TestFilter:
        """The list's conditions."""
        return influence.TestFilter(
            wrong={"wrong": True, "right": False, "all": None}[self.show],
            label=self.label or None,
            predicted=self.predicted or None,
            min_confidence=self.low / 100,
            max_confidence=self.high / 100,
            text=self.q,
        )

    def listing(self) -> "ExploreAddress":
        """The list this sentence was picked from."""
        kept = ("workspace", "show", "label", "predicted", "low", "high", "q", "page")
        return self.at(**{one.name: one.default for one in self._fields() if one.name not in kept})


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[ExploreAddress, list[str]]:
    """The address as far as it makes sense in this workspace, and the names of the parameters that do not."""
    labels = workspace.info.labels
    allowed: dict[str, Any] = {
        "show": SHOW,
        "tokens": TOKENS,
        "method": METHODS,
        "versus": METHODS,
        "label": labels,
        "predicted": labels,
        "target": labels,
    }
    ranges = {"low": (0, 100), "high": (0, 100), "page": (1, 10**6), "own": (0, 1), "top": (FIRST, MOST)}
    address, ignored = ExploreAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges=ranges)
    if address.versus == address.method:
        address = address.at(versus="")
    if address.low > address.high:
        address, ignored = address.at(low=0, high=100), [*ignored, "low", "high"]
    return address, ignored
