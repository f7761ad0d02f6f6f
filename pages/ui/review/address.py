"""What the address of the Review page says: the queue, the example on screen, or what a queue is to be made of."""

from collections.abc import Mapping
from dataclasses import dataclass

import influence
from pages.ui.frame import Address


@dataclass(frozen=True, kw_only=True)
class ReviewAddress(Address):
    """A queue being worked, one example by itself, or (`test`) the offer of the suspects behind a test error."""

    queue: str = ""
    id: str = ""
    test: str = ""

    @property
    def queue_id(self) -> str | None:
        """The queue, as the engine is told."""
        return self.queue or None


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[ReviewAddress, list[str]]:
    """The address as far as it makes sense; ids and queues are looked up where they are used."""
    return ReviewAddress.read(parameters, workspace=workspace.name, allowed={}, ranges={})
