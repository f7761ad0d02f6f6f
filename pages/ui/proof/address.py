"""What the address of Proof says: which of its questions, and what is asked there. The older pages' addresses say the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import influence
from influence import METHODS
from influence.experiments import DECIDED, DEFAULT_SEEDS, DEFAULT_STRONGEST
from pages.ui.frame import Address

FIXES, CHANGES, TRUST = "fixes", "change", "deletion"  # where each question begins
WAYS = {
    TRUST: "Remove and retrain",
    "fixing": "Mend mistakes",
    "overlaps": "What rankings follow",
    "cancellation": "Cancellation",
}
KINDS = {"opponents": "A mistake", "cluster": "A cluster", "rule": "A rule", "top": "A ranking"}
MEASURES = {"probability": "Probability", "margin": "Margin"}
SEEDS = (3, 5, 10, 20)
STRONGEST = (5, 10, 20, 50, 100)  # opponents
OPPONENT_KINDS = {"opponents": "Remove them", "words": "Mask their worst word"}


@dataclass(frozen=True, kw_only=True)
class ProofAddress(Address):
    """Every field is one parameter of the address."""

    part: str = ""  # a question, or a way to answer the last one; empty: what the rest of the address is about
    change: str = ""  # see `influence.experiments.proposals`
    kind: str = ""  # of the change that is being chosen
    tests: str = ""  # test ids as a JSON list
    seeds: int = DEFAULT_SEEDS
    outcome: str = ""  # an earlier what-if
    run: str = ""  # an earlier proof; empty: the latest
    measure: str = "probability"

    @property
    def place(self) -> str:
        """The question: `FIXES`, `CHANGES` or `TRUST`."""
        if self.part in WAYS:
            return TRUST
        return self.part or (CHANGES if self.kind in KINDS or self.change not in ("", DECIDED) else FIXES)

    @property
    def spec(self) -> str:
        """The change that is asked about, spelled out; empty while none is chosen."""
        return DECIDED if self.place == FIXES else "" if self.change == DECIDED else self.change

    @property
    def chosen_kind(self) -> str:
        """The kind of the change, one of `KINDS`."""
        kind = self.spec.partition(":")[0] or self.kind
        return kind if kind in KINDS else "opponents"

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
        kind, _, rest = self.spec.partition(":")
        test_id, _, count = rest.rpartition(":")
        if kind in OPPONENT_KINDS and count.isascii() and count.isdecimal():
            return kind, test_id, int(count)
        return "opponents", "", DEFAULT_STRONGEST

    @property
    def ranking(self) -> tuple[str, str]:
        """Test id and method of a ranking that is put to the test; "" where none is chosen."""
        kind, _, rest = self.spec.partition(":")
        test_id, _, method = rest.rpartition(":")
        return (test_id, method) if kind == "top" and method in METHODS else ("", "")

    def asking(self, change: str, kind: str = "") -> "ProofAddress":
        """Another change, the rest as it is."""
        return self.at(part=CHANGES, change=change, kind="" if change else kind, outcome="")


def read_address(
    parameters: Mapping[str, str], workspace: influence.Workspace, usual: str = ""
) -> tuple[ProofAddress, list[str]]:
    """The address as far as it makes sense; a change, an outcome and a run are looked up where they are used.

    `usual` is the part of an address that names none.
    """
    allowed = {"part": [FIXES, CHANGES, *WAYS], "kind": [*KINDS, DECIDED], "measure": MEASURES}
    address, ignored = ProofAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges={"seeds": (1, 50)})
    return (address if address.part or not usual else replace(address, part=usual)), ignored
