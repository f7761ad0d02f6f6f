"""What the address of the Suspects page says: filters and order of the list, or one test error, or one suspect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import influence
from influence.suspects import SuspectFilter
from pages.ui.frame import Address
from pages.ui.parts import SORTS

SHOW = {"changed": "Another suggested", "all": "All"}
DECIDED = {"": "any", "no": "undecided", "yes": "decided"}


@dataclass(frozen=True, kw_only=True)
class SuspectsAddress(Address):
    """Every field is one parameter of the address."""

    show: str = "changed"
    q: str = ""
    label: str = ""
    suggested: str = ""
    decided: str = ""
    sort: str = "-suspicion"
    page: int = 1
    test: str = ""  # the suspects behind this test error only
    id: str = ""  # the test errors that this suspect drives

    def filter(self, decided_ids: Sequence[str]) -> SuspectFilter:
        """The list's conditions, given what anybody has decided."""
        return SuspectFilter(
            label=self.label or None,
            suggested_label=self.suggested or None,
            changed=True if self.show == "changed" else None,
            text=self.q,
            among=decided_ids if self.decided == "yes" else None,
            without=decided_ids if self.decided == "no" else None,
        )

    def listing(self) -> "SuspectsAddress":
        """The list without what was picked from it."""
        return self.at(test="", id="")

    def in_words(self) -> str:
        """The filter as a person would say it, for the log."""
        parts = ["another label suggested"] if self.show == "changed" else []
        parts += [f"labelled {self.label}"] if self.label else []
        parts += [f"suggested {self.suggested}"] if self.suggested else []
        parts += [f"containing {self.q!r}"] if self.q else []
        parts += [DECIDED[self.decided]] if self.decided else []
        return ", ".join(parts) or "all"


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[SuspectsAddress, list[str]]:
    """The address as far as it makes sense; ids are looked up where they are used."""
    labels = workspace.info.labels
    allowed = {"show": SHOW, "label": labels, "suggested": labels, "decided": DECIDED, "sort": SORTS}
    return SuspectsAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges={"page": (1, 10**6)})
