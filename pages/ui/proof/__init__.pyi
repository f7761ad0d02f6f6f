from . import texts as texts
from .address import (
    CHANGES as CHANGES,
    FIXES as FIXES,
    KINDS as KINDS,
    MEASURES as MEASURES,
    OPPONENT_KINDS as OPPONENT_KINDS,
    SEEDS as SEEDS,
    STRONGEST as STRONGEST,
    TRUST as TRUST,
    WAYS as WAYS,
    ProofAddress as ProofAddress,
    read_address as read_address,
)
from .page import draw as draw
