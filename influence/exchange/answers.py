"""What annotators have answered to our tasks, as rows of a fix list: each finished annotation is its annotator's decision.

    answers = read_answers(file)                            # or a fix list, which is read as such
    plan = plan_answers(reviews, answers, by)               # nothing is written before `fixes.take_in`

The label in the data chosen again is keep, another one relabel, the choice to remove that. An answer is matched by the example's
id and the hash of its text, both of which the task carries; where the text beside them is another one, somebody has edited it in
the tool. Of several answers of one person on one example the latest counts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from influence.annotation import AnnotatedTable, Vote, annotator_name, recognised
from influence.data import text_sha256 as sha256_of
from influence.errors import DataError
from influence.exchange import prodigy
from influence.exchange.tasks import remove_choice
from influence.fixes import Fix, ImportPlan, Misfit, plan_import, read_fixes
from influence.program import PROGRAM
from influence.reading import Table, as_text, read_table
from influence.review import NAMES_JOIN, Reviewer, Reviews, iso

ID, HASH, GIVEN = "example_id", "text_sha256", "given_label"
QUESTIONS = ("label", "accept")  # what our question is called in the tools' files; `accept` in Prodigy's
METHOD = "suspicion"  # that brought the example up
TO_KEEP = ("reason", "suggested_label")  # what the annotator was shown, for the log and the fix list's reasons
EDITED = "its text was edited in the tool"
SEVERAL = "several labels were chosen at once"


@dataclass(frozen=True)
class Answer:
    """What one annotator answered to one task."""

    example_id: str
    text_sha256: str
    given_label: str  # "" where the file does not say: the example's own
    whole_text: str  # as the tool has it now; "" where the file has none
    vote: Vote
    score: float | None

    @property
    def at(self) -> datetime:
        """When, as far as the tool says it; else before everything."""
        return _moment(self.vote.at) or datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Answers:
    """A file's answers, or its fixes where it is a fix list, and what is to be said of it."""

    answers: Sequence[Answer] = ()
    fixes: Sequence[Fix] = ()
    remarks: Sequence[str] = ()
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_answers(path: str | Path) -> Answers:
    """Read a fix list, or what an annotation tool has exported of our tasks; which of them it is shows in its content.

    Raises `DataError` for a file that is neither, for tasks that nobody has answered, and for those that are not ours.
    """
    path = Path(path)
    if path.is_file() and not path.stat().st_size:
        return Answers(fixes=read_fixes(path))
    raw = read_table(str(path), split="train")
    if "_input_hash" in raw.columns and ID in raw.columns:  # two examples of the same text are one input to Prodigy
        raw = replace(raw, columns={**raw.columns, "_input_hash": raw.columns[ID]})
    table = recognised(raw)
    if not isinstance(table, AnnotatedTable):
        if {ID, HASH, "options"} <= raw.columns.keys():
            raise DataError(
                f"{str(path)!r} holds tasks without answers: give the file that the tool exports when they are judged"
            )
        return Answers(fixes=read_fixes(path))
    missing = [name for name in (ID, HASH) if name not in table.columns]
    if missing:
        raise DataError(
            f"{str(path)!r} is of {table.form.tool}, but lacks {' and '.join(missing)}: answers to tasks come back that were "
            f"written by {PROGRAM} tasks"
        )
    return _from_table(table)


def _from_table(table: AnnotatedTable) -> Answers:
    votes_of = _votes(table)
    answers: list[Answer] = []
    details: dict[str, dict[str, Any]] = {}
    unanswered = strangers = 0
    for row in range(len(table)):
        if row in table.broken:
            continue
        votes = votes_of[row]
        told = {name: _text(table, name, row) for name in (ID, HASH, GIVEN, *TO_KEEP)}
        if not told[ID] or not told[HASH]:
            strangers += 1
            continue
        unanswered += not votes
        about = (told[ID], told[HASH], told[GIVEN], _whole_text(table, row))
        answers += [Answer(*about, vote, _number(table, METHOD, row)) for vote in votes]
        details[told[ID]] = {"tool": table.form.tool, **{name: told[name] for name in TO_KEEP if told[name]}}
    broken = next(iter(table.broken.items()), None)
    said = (
        (unanswered, "tasks without an answer (skipped, cancelled or not reached)"),
        (strangers, "tasks that are none of ours (they carry no example_id and text_sha256)"),
        (len(table.broken), f"rows that cannot be read (row {table.number(broken[0])} {broken[1]})" if broken else ""),
    )
    return Answers(answers, (), [f"{what}: {count:,}" for count, what in said if count], details)


def _votes(table: AnnotatedTable) -> Sequence[Sequence[Vote]]:
    """What was answered to our question, by task. A row an annotation (Label Studio's CSV, JSON-MIN) says so by its column.

    Which columns of such a file hold answers can only be guessed by who does not know the question.
    """
    raw, label = table.raw, QUESTIONS[0]
    if "annotation_id" in raw.columns and label in raw.columns:
        return [[_flat_vote(raw, row) for row in rows if raw.columns[label][row] not in (None, "", [])] for rows in table.places]
    question = next((name for name in QUESTIONS if name in table.votes), None)
    return [[] for _ in range(len(table))] if question is None else table.votes[question]


def _flat_vote(raw: Table, row: int) -> Vote:
    at = _text(raw, "updated_at", row) or _text(raw, "created_at", row)
    return Vote(annotator_name(raw.columns["annotator"][row]), raw.columns[QUESTIONS[0]][row], at)


def _text(table: Table, name: str, row: int) -> str:
    return as_text(table.columns[name][row]) if name in table.columns else ""


def _whole_text(table: Table, row: int) -> str:
    """The text, or both of a pair as they are hashed; of a task of Prodigy's they are taken apart again."""
    text, pair, at = _text(table, "text", row), _text(table, "text_pair", row), _number(table, "second_at", row)
    if at is not None:
        text, pair = text[: int(at) - len(prodigy.BETWEEN)], text[int(at) :]
    return f"{text}\x1f{pair}" if pair else text


def _number(table: Table, name: str, row: int) -> float | None:
    try:
        found = float(_text(table, name, row))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def plan_answers(reviews: Reviews, found: Answers, by: Reviewer) -> ImportPlan:
    """Look at them before anything is written; `by` has decided what names nobody. See `fixes.plan_import`."""
    latest, earlier = _latest(found.answers)
    remove = remove_choice(reviews.corpus.labels)
    fixes, misfits = list(found.fixes), []
    for answer in latest:
        fix, why = _as_fix(reviews, answer, remove)
        if why:
            misfits.append(Misfit(fix, why))
        else:
            fixes.append(fix)
    plan = plan_import(reviews, fixes, by)
    again = [f"earlier answers of the same person on the same example, of which the latest counts: {earlier:,}"]
    return replace(
        plan,
        rows=plan.rows + len(misfits) + earlier,
        misfits=[*misfits, *plan.misfits],
        remarks=[*found.remarks, *(again if earlier else [])],
        details=found.details,
    )


def _latest(answers: Iterable[Answer]) -> tuple[list[Answer], int]:
    """The latest answer of each person on each example (of equally late ones the last), and how many others there are."""
    found: dict[tuple[str, str], Answer] = {}
    count = 0
    for answer in answers:
        count += 1
        key = (answer.example_id, answer.vote.annotator)
        if key not in found or found[key].at <= answer.at:
            found[key] = answer
    return list(found.values()), count - len(found)


def _as_fix(reviews: Reviews, answer: Answer, remove: str) -> tuple[Fix, str]:
    """The row of a fix list that an answer comes to, and why there is none, "" where there is."""
    example, label = reviews.corpus.examples.get(answer.example_id), answer.vote.label
    given = answer.given_label or (example.label if example is not None else "")
    action = "keep" if label in (None, given) else "remove" if label == remove else "relabel"
    fix = Fix(
        example_id=answer.example_id,
        action=action,
        old_label=given,
        new_label=label if action == "relabel" else None,
        words=(),
        reason="",
        reviewer=answer.vote.annotator.replace(NAMES_JOIN.strip(), ","),
        decided_at=iso(answer.at) if _moment(answer.vote.at) else "",
        method=METHOD,
        score=answer.score,
        text_sha256=answer.text_sha256,
        text=answer.whole_text,
    )
    if label is None:
        return fix, SEVERAL if isinstance(answer.vote.value, list) else f"the answer {as_text(answer.vote.value)!r} is no label"
    edited = answer.whole_text and sha256_of(answer.whole_text) != answer.text_sha256
    return fix, EDITED if edited else ""


def _moment(at: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
