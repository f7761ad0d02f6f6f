"""The form of a data file: what its bytes are to be taken for. It is found, or said by the user, and shown."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from influence.errors import SettingsError

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")  # each also with .gz after it
GZ = ".gz"
Kind = Literal["delimited", "json lines", "json", "parquet", "data set"]
DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# What text may be in that is not Unicode, the likelier first; Microsoft's forms of the East Asian ones go by Python's names.
ENCODINGS = (
    "windows-1252", "windows-1250", "windows-1251", "gb18030", "cp932", "cp949", "big5", "euc_jp", "windows-1253",
    "windows-1254", "windows-1255", "windows-1256", "windows-1257", "koi8-r", "mac-roman", "cp437", "cp850", "iso8859-15",
)  # fmt: skip
SPELT = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
KIND_NAMES: dict[str, str] = {"json lines": "JSON lines", "json": "a JSON list", "parquet": "Parquet", "data set": "a data set"}


@dataclass(frozen=True, kw_only=True)
class FormOptions:
    """What the user says of a file's form; None: to be found."""

    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            given = SPELT.get(self.delimiter, self.delimiter)
            if len(given) != 1 or given in '"\r\n\0' or given.isalnum():
                raise SettingsError(f"--delimiter {self.delimiter[:20]!r}: give one character such as ';', or tab")
            object.__setattr__(self, "delimiter", given)
        if self.encoding is not None:
            object.__setattr__(self, "encoding", known_encoding(self.encoding))


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a file is read as, and written as again."""

    kind: Kind
    delimiter: str = ""
    encoding: str = "utf-8"
    compressed: bool = False  # by gzip
    tool: str = ""  # that has written it, where it is one for annotating
    annotators: int = 0  # whom that names

    def is_usual(self, suffix: str) -> bool:
        """Whether it is what a file's ending says, in UTF-8."""
        return self in (Form(kind="parquet"), Form(kind="data set"), USUAL.get(suffix))

    @property
    def in_words(self) -> str:
        """As it is shown: `text with semicolons, UTF-16, gzip`; UTF-8 is not worth a word."""
        name = DELIMITER_NAMES.get(self.delimiter, f"{self.delimiter!r} between its fields")
        parts = [f"text with {name}" if self.kind == "delimited" else KIND_NAMES[self.kind]]
        if self.encoding != "utf-8":
            parts.append(self.encoding.removesuffix("-le").removesuffix("-be").upper().replace("WINDOWS", "Windows"))
        parts += ["gzip"] if self.compressed else []
        by = f" by {self.annotators:,} annotators" if self.annotators > 1 else ""
        return ", ".join([*parts, f"from {self.tool}{by}"] if self.tool else parts)


USUAL = {
    ".csv": Form(kind="delimited", delimiter=","),
    ".tsv": Form(kind="delimited", delimiter="\t"),
    ".jsonl": Form(kind="json lines"),
    ".ndjson": Form(kind="json lines"),
}


def known_encoding(name: str) -> str:
    """An encoding by the name that Python has for it. Raises `SettingsError` for one that is none, or no text's."""
    try:
        found = codecs.lookup(name)
        "é".encode(found.name, "ignore").decode(found.name)
    except (LookupError, UnicodeError, ValueError, TypeError) as error:
        raise SettingsError(f"--encoding {name[:40]!r}: no such encoding; give one such as windows-1252, or utf-8") from error
    plain = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(found.name, found.name)
    return f"windows-{plain[2:]}" if plain.startswith("cp125") else plain


def data_suffix(path: Path) -> str:
    """The ending that says what a file is; of `train.csv.gz` it is `.csv`. Of `SUFFIXES`, or something else."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == GZ else suffix


def whole_suffix(path: Path) -> str:
    """The ending with that of its compression: `.csv.gz`."""
    return data_suffix(path) + (GZ if path.suffix.lower() == GZ else "")
