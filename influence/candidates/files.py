"""A ranking as a file: Parquet, exact, which can be read again; or CSV for a spreadsheet, its cells made harmless.

In Parquet a row's words are a list of records. What the ranking was made from stands in the schema's metadata, as JSON under
`wordtrace_candidates`; it is only told to people, never acted on.
"""

import json
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from influence.candidates.ranking import Candidates
from influence.candidates.settings import CandidateSettings
from influence.errors import DataError, SettingsError
from influence.files import write_output
from influence.fixes import neutralised

SUFFIXES = (".parquet", ".csv")
ABOUT = b"wordtrace_candidates"
WORDS = pa.list_(
    pa.struct([("word", pa.string()), ("side", pa.int8()), ("start", pa.int32()), ("end", pa.int32()), ("score", pa.float64())])
)
TYPES = {
    "rank": pa.int64(),
    "label_is_guess": pa.bool_(),
    "confidence": pa.float64(),
    "score": pa.float64(),
    "self_influence": pa.float64(),
    "alike": pa.float64(),
    "words": WORDS,
    "mistake_score": pa.float64(),
}


def check_output(name: str) -> None:
    """Raise `SettingsError` for a file that a ranking cannot be written to, before it is worked out."""
    file = Path(name)
    if file.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"--output {name!r}: the file's name must end in {' or '.join(SUFFIXES)}")
    if not file.parent.is_dir():
        raise SettingsError(f"--output {name!r}: there is no folder {str(file.parent)!r}")


def write_candidates(found: Candidates, name: str) -> None:
    """Write a ranking. Raises `SettingsError` where that cannot be done."""
    check_output(name)
    encoded = as_parquet(found) if Path(name).suffix.lower() == ".parquet" else as_csv(found)
    write_output(Path(name), encoded, name=f"--output {name!r}")


def as_parquet(found: Candidates) -> bytes:
    """The content of a Parquet file."""
    schema = pa.schema([(name, TYPES.get(name, pa.string())) for name in found.frame.columns])
    about = {"settings": asdict(found.settings), "tests": found.tests, "wrong": found.wrong, "notes": found.notes}
    table = pa.Table.from_pandas(found.frame, schema=schema, preserve_index=False)
    buffer = BytesIO()
    pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(about).encode()}), buffer)
    return buffer.getvalue()


def as_csv(found: Candidates) -> bytes:
    """The content of a CSV file: words by name with what each carries, cells that would be formulas made text."""
    frame = found.frame.copy()
    frame["words"] = [_in_print(words) for words in frame["words"]]
    for name in frame.columns:
        if TYPES.get(name) in (None, WORDS):
            frame[name] = ["" if pd.isna(cell) else neutralised(str(cell)) for cell in frame[name]]
    return frame.to_csv(index=False, lineterminator="\r\n").encode()


def _in_print(words: list[dict[str, Any]] | None) -> str:
    return "; ".join(f"{one['word']} {one['score']:+.4g}" for one in words or ())


def read_ranking(file: Path) -> Candidates:
    """A ranking that was written as Parquet. Raises `DataError` for a file that is none."""
    try:
        table = pq.read_table(file)
        about = json.loads(table.schema.metadata[ABOUT])
        settings = CandidateSettings(**{**about["settings"], "test_ids": tuple(about["settings"]["test_ids"])})
        frame = table.replace_schema_metadata(None).to_pandas()
        frame["rank"] = frame["rank"].astype("Int64")
        return Candidates(frame, settings, int(about["tests"]), bool(about["wrong"]), list(map(str, about["notes"])))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError(f"{str(file)!r} is no ranking of candidates: {' '.join(str(error).split())[:200]}") from error
