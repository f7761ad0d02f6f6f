"""What the address of the Clusters page says: where the dendrogram is cut, and which cluster is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import influence
from influence.clusters import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD, ClusterOrder
from pages.ui.frame import Address

LEAST, MOST, STEP = 0.05, 1.0, 0.05  # of the threshold
ORDER = {"worth": "Doubt in its labels", "mistakes": "Mistakes driven", "size": "Size"}
SHOW = {"all": "All", "changed": "Another label suggested"}
SMALLEST, LARGEST = 2, 30  # of the minimum size


@dataclass(frozen=True, kw_only=True)
class ClustersAddress(Address):
    """Every field is one parameter of the address."""

    threshold: float = DEFAULT_THRESHOLD
    size: int = DEFAULT_MIN_SIZE
    show: str = "all"
    order: ClusterOrder = "worth"
    cluster: int = -1
    page: int = 1


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[ClustersAddress, list[str]]:
    """The address as far as it makes sense; a cluster is looked up where it is used."""
    ranges = {"threshold": (LEAST, MOST), "size": (SMALLEST, LARGEST), "cluster": (0, 10**7), "page": (1, 10**6)}
    return ClustersAddress.read(parameters, workspace=workspace.name, allowed={"show": SHOW, "order": ORDER}, ranges=ranges)
