"""Which examples a queue plants as controls: surely right ones, to be shown under a wrong label."""

import hashlib

import numpy as np

from influence.errors import SettingsError
from influence.review import Reviews
from influence.suspects.ranking import SuspectFilter, suspects

CHOICE = 20  # least suspicious examples for each control that is drawn, so that nobody can guess which they are
MOST_CONTROLS = 1_000


def choose_controls(reviews: Reviews, queue_ids: list[str], count: int, *, queue: str) -> dict[str, str]:
    """Draw `count` controls for a queue: the least suspicious examples, each with the wrong label that it is to be shown under.

    None is in the queue or decided by anybody, and none is suspected. The draw follows from the queue's id alone. Fewer
    where there are not as many. Raises `SettingsError` for an impossible count and `WorkspaceMissing` without suspects.
    """
    if not 0 <= count <= MOST_CONTROLS:
        raise SettingsError(f"{count} planted controls: give 0 to {MOST_CONTROLS:,}")
    labels = reviews.corpus.labels
    if not count or len(labels) < 2:
        return {}
    apart = list(dict.fromkeys([*queue_ids, *(decision.example_id for decision in reviews.decisions())]))
    unsuspected = SuspectFilter(changed=False, without=apart)
    _, surest = suspects(reviews.workspace, unsuspected, order="suspicion", limit=count * CHOICE)
    seed = int.from_bytes(hashlib.sha256(f"{reviews.corpus.build} {queue}".encode()).digest()[:8], "big")
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(surest))[:count]
    found = {}
    for id, label in surest.iloc[drawn][["train_id", "label"]].itertuples(index=False):
        others = [other for other in labels if other != label]
        found[str(id)] = others[int(generator.integers(len(others)))]
    return found
