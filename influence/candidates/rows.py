"""The rows of a candidate file: texts, with labels or without, read by the workspace's own columns or by guessed ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from influence.data import Columns, Guess, guess_columns, read_examples, text_sha256
from influence.errors import DataError
from influence.reading import FormOptions, Table
from influence.sources import Stream, open_table
from influence.workspace import WorkspaceReader

IN_TRAINING, IN_TEST, REPEATED = "in training", "in the test split", "repeated"
UNKNOWN, UNUSABLE = "unknown label", "unusable"
WHY = {
    IN_TRAINING: "whose text is in training already",
    IN_TEST: "whose text is in the test split (to train on them would be a leak)",
    REPEATED: "standing earlier in the file, too",
    UNKNOWN: "with a label that the workspace does not know",
    UNUSABLE: "that cannot be used",
}


class Role(NamedTuple):
    """The columns that the caller named; None: as in the workspace's own data where the file has them, else guessed."""

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    unlabelled: bool = False  # whatever labels the file has are left alone


@dataclass(frozen=True)
class CandidateRows:
    """N rows in the file's order. A label of "" is none; `left_out` says of some rows why they are not ranked."""

    source: str
    ids: Sequence[str]
    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Sequence[str]
    left_out: dict[int, str]  # by row: a key of `WHY`
    notes: list[str]  # what was read as what, and what was left out, one line each

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def ranked(self) -> list[int]:
        """The rows that are ranked."""
        return [row for row in range(len(self)) if row not in self.left_out]


def read_candidates(workspace: WorkspaceReader, name: str, role: Role, form: FormOptions | None = None) -> CandidateRows:
    """Read a file of candidates. Raises `DataError` for columns that are not there, and where no row is left to rank."""
    table = open_table(name, split="train", options=form or FormOptions())
    columns, labelled, notes = _columns(workspace, table, role)
    found = read_examples(table, columns, labelled=False)
    if role.id is None and found.repeated_ids():  # a guess that the rest of the file belies
        notes.append(f"column {columns.id!r} has repeated values, so rows are named by their numbers, from 0")
        columns = replace(columns, id=None)
        found = read_examples(table, columns, labelled=False)
    left_out = dict.fromkeys(found.flaws, UNUSABLE)
    labels: Sequence[str] = [""] * len(found)
    if labelled:
        labels, left = _labels(workspace, table, columns, named=role.label is not None, notes=notes)
        left_out |= left
    if again := found.repeated_ids():
        raise DataError(
            f"--id {columns.id!r}: {table.source!r} has {len(again):,} repeated ids, the first is {found.ids[again[0]]!r}"
        )
    rows = CandidateRows(table.source, found.ids, found.texts, found.pairs, labels, left_out, notes)
    _leave_known_out(workspace, rows)
    _count(rows)
    return rows


def _columns(workspace: WorkspaceReader, table: Table | Stream, role: Role) -> tuple[Columns, bool, list[str]]:
    """The columns to read by, whether the label column holds labels, and a line for what was guessed."""
    head = table.head if isinstance(table, Stream) else table
    own, guess = workspace.info.settings.get("columns") or {}, guess_columns(head)
    pairs = workspace.info.has_pairs
    if role.text_pair is not None and not pairs:
        raise DataError(f"--text-pair {role.text_pair!r}: this workspace classifies single texts; leave it out")
    text = role.text or _own(own, "text", head) or guess.text
    pair = (role.text_pair or _own(own, "text_pair", head) or guess.text_pair) if pairs else None
    _check_texts(table.source, guess, head, text, pair, pairs=pairs)
    label = None if role.unlabelled else role.label or _own(own, "label", head) or _guessed_label(workspace, guess, head)
    taken = {text, pair, label}
    id = role.id or next((one for one in (_own(own, "id", head), guess.id) if one is not None and one not in taken), None)
    named = {"text": role.text, "second text": role.text_pair, "label": role.label, "id": role.id}
    read = {"text": text, "second text": pair, "label": label, "id": id}
    guessed = [f"{what} from {column!r}" for what, column in read.items() if column is not None and named[what] is None]
    notes = [f"read {', '.join(guessed)}"] if guessed else []
    assert text is not None
    return Columns(text=text, text_pair=pair, label=label or text, id=id), label is not None, notes


def _own(own: dict[str, str | None], role: str, head: Table) -> str | None:
    """The workspace's own column of a role, where the file has it."""
    name = own.get(role)
    return name if name in head.columns else None


def _guessed_label(workspace: WorkspaceReader, guess: Guess, head: Table) -> str | None:
    """A guessed column of labels, where any of its values is one that the workspace knows: else it is about something else."""
    if guess.label is None:
        return None
    known = set(workspace.info.labels)
    return guess.label if any(str(value) in known for value in head.columns[guess.label]) else None


def _check_texts(source: str, guess: Guess, head: Table, text: str | None, pair: str | None, *, pairs: bool) -> None:
    shown = ", ".join(map(repr, head.columns))
    if text is None:
        raise DataError(f"{source!r}: no column looks like the text; it has {shown}; name one with --text")
    if pairs and pair is None:
        raise DataError(f"{source!r}: this workspace classifies pairs of texts; it has {shown}; name the second with --text-pair")


def _labels(
    workspace: WorkspaceReader, table: Table | Stream, columns: Columns, *, named: bool, notes: list[str]
) -> tuple[Sequence[str], dict[int, str]]:
    """The labels by row, "" where a cell is empty, and the rows whose label cannot be used."""
    found, known = read_examples(table, columns), set(workspace.info.labels)
    empty = f"without a label in column {columns.label!r}"
    left_out = {row: UNUSABLE for row, flaw in found.flaws.items() if flaw.what != empty}
    labels = ["" if row in found.flaws else label for row, label in enumerate(found.labels)]
    unknown = [row for row, label in enumerate(labels) if label and label not in known]
    if unknown and len(unknown) == sum(map(bool, labels)):
        shown = ", ".join(map(repr, workspace.info.labels[:5])) + (", …" if len(known) > 5 else "")
        raise DataError(
            f"{table.source!r}: column {columns.label!r} holds no label that the workspace knows, the first is "
            f"{labels[unknown[0]]!r}; it knows {shown}; name another with --label, or leave labels alone with --unlabelled"
        )
    return labels, left_out | dict.fromkeys(unknown, UNKNOWN)


def _leave_known_out(workspace: WorkspaceReader, rows: CandidateRows) -> None:
    """Leave out rows whose text the workspace has, or that stand earlier in the file with the same label."""
    pairs: Sequence[str | None] = rows.pairs or [None] * len(rows)
    hashes = [text_sha256(text, pair) for text, pair in zip(rows.texts, pairs, strict=True)]
    tests, trains = (workspace.store.texts_known(split, hashes) for split in ("test", "train"))
    seen: set[tuple[str, str]] = set()
    for row, (hash, label) in enumerate(zip(hashes, rows.labels, strict=True)):
        if row in rows.left_out:
            continue
        if hash in tests:
            rows.left_out[row] = IN_TEST
        elif hash in trains:
            rows.left_out[row] = IN_TRAINING
        elif (hash, label) in seen:
            rows.left_out[row] = REPEATED
        seen.add((hash, label))


def _count(rows: CandidateRows) -> None:
    """Say how many rows were left out and why. Raises `DataError` where none is left."""
    counts = {why: list(rows.left_out.values()).count(why) for why in WHY}
    said = [f"{count:,} row{'s' if count > 1 else ''} {WHY[why]}" for why, count in counts.items() if count]
    if len(rows.left_out) == len(rows):
        raise DataError(f"{rows.source!r}: no row is left to rank: {'; '.join(said)}")
    rows.notes.extend(f"left out: {one}" for one in said)
