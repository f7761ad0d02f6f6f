"""What the suspects file says about training examples, in the words and numbers of the screen."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

import influence
from influence.data import is_function_word
from influence.suspects import SuspectFilter, has_suspects, suspect, suspect_ids, suspects, suspects_behind
from influence.workspace import LEAST_PULL, published
from pages.ui.frame import numbers
from pages.ui.parts.payloads import Signal

SORTS = {
    "-suspicion": "rank",
    "-contradicted_share": "opinions against it",
    "held_out_confidence": "held-out models doubt it",
    "-misclassified_share": "misclassified in training",
    "margin": "smallest margin in training",
    "-driven_errors": "pushes test errors",
    "-opposed_tests": "opposes right tests (count)",
    "-opposition": "opposes right tests (strength)",
    "-neighbour_disagreement": "neighbours disagree",
    "-self_influence": "self-influence",
}
SIGNAL_OF = {  # a column's name on screen
    "held_out_confidence": "held-out doubt",
    "misclassified_share": "missed in training",
    "driven_errors": "pushes errors",
    "opposed_tests": "opposes right",
    "neighbour_disagreement": "neighbours against",
    "self_influence": "self-influence",
}
SCALED = ("self_influence", "opposition", "opposed_tests", "driven_errors")  # their bars are shares of the largest


class Suspicion(NamedTuple):
    """Why one example is suspected; `scales` holds the largest value of the signals that have no largest possible one."""

    suggested_label: str
    rank: int  # 1 is the most suspicious
    suspicion: float
    reason: str
    values: Mapping[str, float | None]
    scales: Mapping[str, float]

    def signals(self) -> list[Signal]:
        """Its signals, those that were computed."""
        return signals(self.rank, self.values, self.scales)


def known(workspace: influence.Workspace, has: Callable[[influence.Workspace], bool] = has_suspects) -> bool:
    """Whether the suspects, or what `has` asks for, were computed; a damaged file counts as not: computing again mends it."""
    try:
        return has(workspace)
    except influence.WorkspaceError:
        return False


def suspicion(workspace: influence.Workspace, train_id: str) -> Suspicion | None:
    """What is suspected of an example; None where suspects were never computed."""
    return _suspicion(published_file(workspace), train_id, workspace) if known(workspace) else None


@st.cache_resource(max_entries=1_024, show_spinner=False)
def _suspicion(file: str, train_id: str, _workspace: influence.Workspace) -> Suspicion:
    found = suspect(_workspace, train_id)
    return Suspicion(found.suggested_label, found.rank, found.suspicion, found.reason, found.signals, scales(_workspace))


def published_file(workspace: influence.Workspace) -> str:
    """The suspects file that is published now; another once they have been computed anew."""
    found = published(workspace.build, "suspects")
    return str(found[0]) if found else ""


def ranking(workspace: influence.Workspace) -> str:
    """The name of the published ranking, for the log; "" where there is none."""
    return Path(published_file(workspace)).name


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={influence.Workspace: published_file})
def ranked_ids(workspace: influence.Workspace) -> list[str]:
    """All examples for which another label is suggested, the most suspicious first."""
    return suspect_ids(workspace, SuspectFilter(changed=True))


def in_doubt(workspace: influence.Workspace, decided: Collection[str]) -> int:
    """How many examples have another label suggested and wait for a decision: all but those that anybody has decided."""
    return len(set(ranked_ids(workspace)).difference(decided))


def ids_behind(workspace: influence.Workspace, test_id: str) -> list[str]:
    """The suspects that drive a wrong test prediction, the strongest first; none for one that does not exist."""
    if not known(workspace):
        return []
    try:
        return [str(id) for id in suspects_behind(workspace, test_id, changed=True, limit=100)["train_id"]]
    except influence.QueryError:
        return []


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={influence.Workspace: published_file})
def scales(workspace: influence.Workspace) -> dict[str, float]:
    """The largest value of each signal that is not a share."""
    return {name: float(suspects(workspace, order=f"-{name}", limit=1)[1][name].iloc[0] or 0.0) for name in SCALED}


def signals(rank: int, values: Mapping[str, Any], largest: Mapping[str, float]) -> list[Signal]:
    """The signals of one example for the screen; the bar says how far each speaks against the label."""

    def scaled(name: str) -> float:
        return float(values[name]) / largest[name] if largest.get(name) else 0.0

    confidence = values["held_out_confidence"]
    about = "its place by suspicion, 1 the most suspicious: a rank and no probability"
    found = [_signal("rank", f"{rank:,}", values["suspicion"], about, strong=True)]
    share = values["contradicted_share"]
    about = "share of the opinions, none of which saw its label, that find another one more probable"
    found.append(_signal("opinions against", numbers.probability(share), share, about))
    if not _missing(confidence):
        about = f"models that never saw it give {numbers.probability(confidence)} to its label"
        found.append(_signal("held-out doubt", numbers.probability(1 - confidence), 1 - confidence, about))
    share, disagreement = values["misclassified_share"], values["neighbour_disagreement"]
    about = "share of the epochs of training after which it was misclassified"
    found.append(_signal("missed in training", numbers.probability(share), share, about))
    about = (
        f"wrong test predictions against which it carries {LEAST_PULL:.0%} or more of the pull of their 100 strongest opponents"
    )
    found.append(_signal("pushes errors", f"{int(values['driven_errors']):,}", scaled("driven_errors"), about))
    about = "right test predictions that it is among the 100 strongest opponents of"
    strength = f"{int(values['opposed_tests']):,}"
    found.append(_signal("opposes right", strength, scaled("opposed_tests"), about))
    about = "share of its strongest same-word neighbours' pull that goes against it"
    found.append(_signal("neighbours against", numbers.probability(disagreement), disagreement, about))
    about = "how hard it pulls at its own prediction, beside the example that pulls hardest; outliers and wrong labels pull hard"
    found.append(_signal("self-influence", numbers.probability(scaled("self_influence")), scaled("self_influence"), about))
    return found


def leading(rank: int, values: Mapping[str, Any], largest: Mapping[str, float], order: str = "") -> list[Signal]:
    """The signals that a list has room for: the rank, the opinions, and the one that it is in order of."""
    wanted = ("rank", "opinions against", SIGNAL_OF.get(order.removeprefix("-"), ""))
    return [one for one in signals(rank, values, largest) if one["name"] in wanted]


def _signal(name: str, value: str, bar: float, about: str, *, strong: bool = False) -> Signal:
    return {"name": name, "value": value, "bar": bar, "about": about, "strong": strong}


def _missing(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


def pull(share: float, word: object) -> str:
    """An opponent's share of the pull against a test prediction, and the word that carries most of it, if one says anything."""
    said = f"{numbers.probability(share)} of the pull"
    return f"{said}, most through “{word}”" if isinstance(word, str) and not is_function_word(word) else said
