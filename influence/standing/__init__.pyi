from .applied import (
    FIXES as FIXES,
    MADE_FROM as MADE_FROM,
    Applied as Applied,
    made_from as made_from,
    read_applied as read_applied,
)
from .board import Board as Board, BoardItem as BoardItem, QueueProgress as QueueProgress
from .history import History as History
from .leases import LEASE_MS as LEASE_MS, Lease as Lease, Leases as Leases
from .order import spread as spread, with_rest as with_rest
from .positions import Mark as Mark, Positions as Positions
from .recent import KEPT as KEPT, Lately as Lately
