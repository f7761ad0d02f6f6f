"""What the address of the What-if page says: which change, over how many seeds, and which sentences are looked at."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import influence
from influence import METHODS
from influence.experiments import DEFAULT_SEEDS, DEFAULT_STRONGEST
from pages.ui.frame import Address

KINDS = {"decided": "Decisions", "cluster": "Cluster", "rule": "Rule", "opponents": "Opponents", "top": "Top 1%"}
SEEDS = (3, 5, 10, 20)
STRONGEST = (5, 10, 20, 50, 100)  # opponents
OPPONENT_KINDS = {"opponents": "Remove them", "words": "Mask their worst word"}


@dataclass(frozen=True, kw_only=True)
class WhatIfAddress(Address):
    """Every field is one parameter of the address."""

    change: str = ""  # see `influence.experiments.proposals`
    kind: str = ""  # of the change that is being chosen
    tests: str = ""  # test ids as a JSON list
    seeds: int = DEFAULT_SEEDS
    outcome: str = ""  # an earlier what-if

    @property
    def chosen_kind(self) -> str:
        """The kind of the change, one of `KINDS`."""
        kind = self.change.partition(":")[0] or self.kind
        return "opponents" if kind == "words" else kind if kind in KINDS else "decided"

    @property
    def test_ids(self) -> list[str]:
        """The sentences to look at; nothing where the address garbles them."""
        try:
            found = json.loads(self.tests or "[]")
        except ValueError:
            return []
        return [id for id in found if isinstance(id, str)] if isinstance(found, list) else []

    @property
    def opponents(self) -> tuple[str, str, int]:
        """Kind, test id and number of a change of that kind; "" where no sentence is chosen."""
        kind, _, rest = self.change.partition(":")
        test_id, _, count = rest.rpartition(":")
        if kind in OPPONENT_KINDS and count.isascii() and count.isdecimal():
            return kind, test_id, int(count)
        return "opponents", "", DEFAULT_STRONGEST

    @property
    def ranking(self) -> tuple[str, str]:
        """Test id and method of a ranking that is put to the test; "" where none is chosen."""
        kind, _, rest = self.change.partition(":")
        test_id, _, method = rest.rpartition(":")
        return (test_id, method) if kind == "top" and method in METHODS else ("", "")

    def asking(self, change: str, kind: str = "") -> "WhatIfAddress":
        """Another change, the rest as it is."""
        return self.at(change=change, kind="" if change else kind, outcome="")


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[WhatIfAddress, list[str]]:
    """The address as far as it makes sense; a change is checked where it is made."""
    ranges = {"seeds": (1, 50)}
    return WhatIfAddress.read(parameters, workspace=workspace.name, allowed={"kind": KINDS}, ranges=ranges)
