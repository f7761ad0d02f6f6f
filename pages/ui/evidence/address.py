"""What the address of the Evidence page says: which proof, and which run of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import influence
from pages.ui.frame import Address

PARTS = {"deletion": "Deletion curves", "cancellation": "Cancellation", "fixing": "Targeted fixing", "overlaps": "Overlaps"}
MEASURES = {"probability": "Probability", "margin": "Logit margin"}


@dataclass(frozen=True, kw_only=True)
class EvidenceAddress(Address):
    """Every field is one parameter of the address."""

    part: str = "deletion"
    run: str = ""  # an earlier one; empty: the latest
    measure: str = "probability"


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[EvidenceAddress, list[str]]:
    """The address as far as it makes sense; a run is looked up where it is used."""
    return EvidenceAddress.read(parameters, workspace=workspace.name, allowed={"part": PARTS, "measure": MEASURES}, ranges={})
