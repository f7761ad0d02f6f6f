"""Why a label is suspicious, in words. The suspects table holds the facts; the sentence is made when it is shown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import pandas as pd

from influence.data import is_function_word
from influence.workspace import STORED_TOP

NOTABLE_DISAGREEMENT = 0.5  # neighbours are worth a word where most of their pull is against the label
# Columns of the suspects table that nothing but the reason is made of.
ONLY_FACTS = ("opinions", "votes", "trained", "missed", "opposed_word", "error_pull", "neighbours", "neighbours_against")


NAMED = 8  # names of files of whom is told what they say


class Saying(NamedTuple):
    """What a name of a file of opinions says of an example."""

    name: str
    label: str
    probability: float | None  # of that label; None where it says the label alone

    def __str__(self) -> str:
        return f"{self.name}: {self.label}" + ("" if self.probability is None else f" {self.probability:.2f}")


@dataclass(frozen=True)
class Facts:
    """What a reason is made of, about one example: columns of the suspects table."""

    label: str
    suggested_label: str
    opinions: int  # that there are
    votes: int  # how many of those say `suggested_label`
    trained: int  # epochs of models trained on it
    missed: int  # after how many of those it was misclassified
    opposed_tests: int  # correctly predicted test examples among whose strongest opponents it is
    opposed_word: str | None  # through which most of that opposition goes
    driven_errors: int  # wrong test predictions of whose opponents' pull it carries `LEAST_PULL` or more
    error_pull: float  # its share of the pull against those
    neighbours: int
    neighbours_against: int
    neighbour_disagreement: float
    said: Sequence[Saying] = ()  # by those of the opinions that came in files


STORED = [field.name for field in fields(Facts) if field.name != "said"]  # columns of the table of suspects


def reason(facts: Facts) -> str:
    """Why a label is, or is not, suspicious, in one line."""
    parts = [_opinions_say(facts)]
    if facts.said:
        more = [f"{len(facts.said) - NAMED:,} more"] if len(facts.said) > NAMED else []
        parts.append(", ".join([*map(str, facts.said[:NAMED]), *more]))
    if facts.missed:
        parts.append(f"misclassified after {facts.missed} of {facts.trained} epochs of training")
    if facts.driven_errors:
        wrong = _count(facts.driven_errors, "wrong test prediction")
        parts.append(f"one of the strongest opponents of {wrong}, with {facts.error_pull:.0%} of the pull")
    if facts.opposed_tests:
        # Files of earlier versions name function words and parts of words, too.
        told = facts.opposed_word if facts.opposed_word and not is_function_word(facts.opposed_word) else None
        word = f", most through “{told}”" if told else ""
        parts.append(
            f"among the {STORED_TOP} strongest opponents of {_count(facts.opposed_tests, 'right test prediction')}{word}"
        )
    if facts.neighbours and facts.neighbour_disagreement >= NOTABLE_DISAGREEMENT:
        parts.append(f"{facts.neighbours_against} of its {facts.neighbours} strongest same-word neighbours pull against it")
    return "; ".join(parts)


def _opinions_say(facts: Facts) -> str:
    verb = "says" if facts.votes == 1 else "say"
    who = f"{facts.votes} of {_count(facts.opinions, 'opinion')} {verb}"
    if facts.suggested_label == facts.label:
        return f"labelled {facts.label}, and {who} so"
    return f"labelled {facts.label}, {who} {facts.suggested_label}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def names_nobody(said: str, labels: Sequence[str]) -> bool:
    """Whether a text is a reason, of these labels, in which no name of a file of opinions stands."""
    label = f"(?:{'|'.join(map(re.escape, labels))})"
    who = r"[\d,]+ of [\d,]+ opinions? says?"
    parts = (
        rf"labelled {label}, (?:and {who} so|{who} {label})",
        r"(?:; misclassified after \d+ of \d+ epochs of training)?",
        r"(?:; one of the strongest opponents of [\d,]+ wrong test predictions?, with \d+% of the pull)?",
        r"(?:; among the \d+ strongest opponents of [\d,]+ right test predictions?(?:, most through “[^”;]*”)?)?",
        r"(?:; \d+ of its \d+ strongest same-word neighbours pull against it)?",
    )
    return re.fullmatch("".join(parts), said) is not None


def with_reason(row: Mapping[str, Any], said: Sequence[Saying] = ()) -> dict[str, Any]:
    """One row of the suspects table with its reason; a row of schema version 1 has it."""
    if "reason" in row:
        return dict(row)
    return {**row, "reason": reason(Facts(**{name: row[name] for name in STORED}, said=said))}


def with_reasons(rows: pd.DataFrame, said: Mapping[str, Sequence[Saying]]) -> pd.DataFrame:
    """Rows of the suspects table with a column `reason` in the place of the facts that only it is made of.

    `said` is what names of files say, by the example's id. A file of schema version 1 holds the sentence and not the facts;
    its rows come back as they are.
    """
    if "reason" in rows:
        return rows
    facts = rows[STORED].astype({"opposed_word": object})
    facts["opposed_word"] = facts["opposed_word"].where(facts["opposed_word"].notna(), None)
    told = (said.get(str(id), ()) for id in rows["train_id"])
    reasons = [
        reason(Facts(**dict(zip(STORED, row, strict=True)), said=names))
        for row, names in zip(facts.itertuples(index=False), told, strict=True)
    ]
    shown = rows.drop(columns=list(ONLY_FACTS))
    shown.insert(list(shown.columns).index("suspicion") + 1, "reason", pd.Series(reasons, index=rows.index, dtype=object))
    return shown
