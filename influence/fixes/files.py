"""Fix lists as files: CSV that no spreadsheet runs, JSONL and Parquet that hold every value as it is.

A CSV cell of text that a spreadsheet could take for a formula gets an apostrophe before it, and so does one that begins
with apostrophes before such a character, so that reading can take exactly one away again.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from influence.data import EDIT_KINDS, Edit, text_sha256 as sha256_of
from influence.errors import DataError, SettingsError
from influence.files import write_output
from influence.fixes.fixlist import Fix
from influence.reading import Table, read_table
from influence.review import iso

COLUMNS = Fix._fields
TEXT_COLUMNS = tuple(name for name in COLUMNS if name not in ("decided_at", "score"))
RISKY = re.compile(r"'*[=+\-@\t\r\n\0＝＋－＠]")  # the wide forms are formulas to East Asian spreadsheets
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")
_HASH, _SCHEMA = (
    re.compile(r"[0-9a-f]{64}"),
    pa.schema([(n, {"words": pa.list_(pa.string()), "score": pa.float64()}.get(n, pa.string())) for n in COLUMNS]),
)


def neutralised(cell: str) -> str:
    """A CSV cell that a spreadsheet shows as text."""
    return f"'{cell}" if RISKY.match(cell) else cell


def restored(cell: str) -> str:
    """The cell that `neutralised` was given."""
    return cell[1:] if cell.startswith("'") and RISKY.match(cell) else cell


def in_markdown(text: str) -> str:
    """A name or a text from the data on one line of Markdown, shown as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def encode_fixes(fixes: Iterable[Fix], suffix: str) -> bytes:
    """A fix list as the content of a file of that ending: .csv, .jsonl or .parquet."""
    encoder = _ENCODERS.get(suffix.lower())
    if encoder is None:
        raise SettingsError(f"cannot write a fix list as {suffix!r}; name the file one of {', '.join(_ENCODERS)}")
    return encoder(list(fixes))


def write_fixes(fixes: Iterable[Fix], path: str | Path) -> None:
    """Write a fix list, whole or not at all. Raises `SettingsError` for a path that cannot be written."""
    write_output(Path(path), encode_fixes(fixes, Path(path).suffix))


def read_fixes(path: str | Path) -> list[Fix]:
    """The fixes in a file, as they were exported; equal rows once.

    Raises `DataError` naming the first row at fault: a missing column, an unknown action, values that a spreadsheet has
    rewritten (hashes, times, scores, letters), or two rows that want different things of one example.
    """
    path = Path(path)
    if path.suffix.lower() == ".jsonl" and path.is_file() and not path.stat().st_size:
        return []  # how an empty list is exported there
    table = read_table(str(path), split="train")
    _check_columns(table)
    for why in table.broken.values():
        raise DataError(f"{table.source!r} {why}; mend or delete that row")
    from_csv = table.form.kind == "delimited"
    fixes: dict[str, Fix] = {}
    rows = zip(*(table.columns[name] for name in COLUMNS), strict=True)
    for number, values in enumerate(rows, start=2 if from_csv else 1):  # as a spreadsheet or an editor counts
        row = _Row(table.source, number, dict(zip(COLUMNS, values, strict=True)), from_csv)
        fix = row.fix()
        if fixes.setdefault(fix.example_id, fix) != fix:
            row.refuse(f"another row wants something else of example {fix.example_id!r}; delete one of the two")
    return list(fixes.values())


def _check_columns(table: Table) -> None:
    missing = [name for name in COLUMNS if name not in table.columns]
    if not missing:
        return
    raise DataError(
        f"{table.source!r} is not a fix list: it lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    )


class _Row:
    """One row of a file, for turning into a fix or refusing."""

    def __init__(self, source: str, number: int, values: dict[str, Any], from_csv: bool) -> None:
        self.source, self.number, self.values, self.from_csv = source, number, values, from_csv

    def refuse(self, complaint: str) -> NoReturn:
        raise DataError(f"{self.source!r} row {self.number}: {complaint}")

    def fix(self) -> Fix:
        action, text_sha256, text = self.text("action"), self.text("text_sha256"), self.text("text")
        if action not in EDIT_KINDS:
            self.refuse(f"unknown action {action!r}; it is one of {', '.join(EDIT_KINDS)}")
        if not _HASH.fullmatch(text_sha256):
            self.refuse(f"text_sha256 {text_sha256!r} is not a SHA-256 in hexadecimal")
        if sha256_of(text) != text_sha256:
            self.refuse(
                f"the text of example {self.text('example_id')!r} does not fit its hash ({text[:40]!r}); a spreadsheet has "
                "changed its letters, line breaks or length: use the JSONL or Parquet file, or save as UTF-8"
            )
        new_label, words = self.text("new_label") or None, self.words()
        if (misuse := Edit(action, new_label, words).misuse) is not None:
            self.refuse(f"{action} with {'; '.join(misuse)}")
        if new_label is not None and new_label == self.text("old_label"):
            self.refuse(f"{action} from {new_label!r} to the same label")
        return Fix(
            example_id=self.text("example_id") or self.refuse("example_id is blank"),
            action=action,
            old_label=self.text("old_label"),
            new_label=new_label,
            words=words,
            reason=self.text("reason"),
            reviewer=self.text("reviewer"),
            decided_at=self.time(),
            method=self.text("method") or None,
            score=self.score(),
            text_sha256=text_sha256,
            text=text,
        )

    def text(self, name: str) -> str:
        value = self.values[name]
        if value is None:
            return ""
        if not isinstance(value, str | int) or isinstance(value, bool):
            self.refuse(f"{name} is {value!r}, not text")
        return restored(str(value)) if self.from_csv else str(value)

    def words(self) -> tuple[str, ...]:
        value = self.values["words"]
        if isinstance(value, str):
            try:
                value = json.loads(restored(value)) if value else []
            except ValueError:
                self.refuse(f'words {value!r} are not a JSON list such as ["good", "bad"]')
        if value is not None and not (isinstance(value, list) and all(isinstance(word, str) and word for word in value)):
            self.refuse(f'words {value!r} are not a list of texts such as ["good", "bad"]')
        return tuple(value or ())

    def time(self) -> str:
        value = self.text("decided_at")
        if not value:
            return ""
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.refuse(f"decided_at {value!r} is not a time such as 2026-11-24T18:30:00.000Z; a spreadsheet has rewritten it")
        return iso(at if at.tzinfo else at.replace(tzinfo=UTC))

    def score(self) -> float | None:
        value = self.values["score"]
        if value in (None, ""):
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            self.refuse(f"score {value!r} is not a number; a spreadsheet has rewritten it")
        return number if math.isfinite(number) else self.refuse(f"score {value!r} is not a finite number")


def _as_csv(fixes: Sequence[Fix]) -> bytes:
    def cell(name: str, value: Any) -> str:
        if name == "words":
            return json.dumps(value, ensure_ascii=False) if value else ""
        text = "" if value is None else repr(value) if isinstance(value, float) else str(value)
        return neutralised(text) if name in TEXT_COLUMNS else text

    opened = io.StringIO(newline="")
    writer = csv.writer(opened, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(name, value) for name, value in zip(COLUMNS, fix, strict=True)] for fix in fixes)
    return opened.getvalue().encode()


def _as_jsonl(fixes: Sequence[Fix]) -> bytes:
    return "".join(f"{json.dumps(fix._asdict(), ensure_ascii=False)}\n" for fix in fixes).encode()


def _as_parquet(fixes: Sequence[Fix]) -> bytes:
    opened = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([fix._asdict() for fix in fixes], schema=_SCHEMA), opened)
    return opened.getvalue()


_ENCODERS: dict[str, Callable[[Sequence[Fix]], bytes]] = {".csv": _as_csv, ".jsonl": _as_jsonl, ".parquet": _as_parquet}
