"""Tasks for Prodigy: lines of JSON for its `choice` interface, as its documentation has them (prodi.gy/docs/api-interfaces).

The suggested label is chosen already (`accept`), the lit words are `spans`. The interface shows one text, so that both of a pair
are joined there, and `second_at` says from which character on the second one stands.
"""

from collections.abc import Sequence
from typing import Any

from influence.exchange.tasks import Task, remove_choice

BETWEEN = " | "  # the texts of a pair


def task(one: Task, labels: Sequence[str]) -> dict[str, Any]:
    """One task of the `choice` interface."""
    at = (0, len(one.text) + len(BETWEEN))
    pair = {} if one.text_pair is None else {"second_at": at[1]}
    spans = [
        {"start": at[word.side] + word.start, "end": at[word.side] + word.end, "text": word.text, "label": word.mark}
        for word in one.words
    ]
    choices = [*labels, remove_choice(labels)]
    return {
        "text": BETWEEN.join(one.texts),
        "spans": spans,
        "options": [{"id": choice, "text": choice} for choice in choices],
        "accept": [one.suggested_label],
        "example_id": one.example_id,
        "text_sha256": one.text_sha256,
        **pair,
        "given_label": one.label,
        "suggested_label": one.suggested_label,
        "suspicion": one.suspicion,
        "reason": one.reason,
        "meta": {"label": one.label, "suspicion": round(one.suspicion, 3), "why": one.reason},
    }
