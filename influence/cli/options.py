"""What the commands have in common: options that several take, how lists are read, and how an answer is printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from influence import engines
from influence.cli.progress import remark
from influence.errors import SettingsError
from influence.models import usual_model
from influence.reading import FormOptions

if TYPE_CHECKING:
    import pandas as pd

    from influence.engines import Engine

Answer = TypeVar("Answer")
DATA = "data (CSV, TSV, JSON, JSONL, Parquet; a pattern or folder of them; s3://, gs://, hf://; a datasets folder or Hub id)"


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], about: str, *, workspace: bool = True
) -> argparse.ArgumentParser:
    """Register a command, which takes a workspace unless told otherwise; its other options are for the caller to add."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about)
    parser.set_defaults(run=run)
    if workspace:
        add_workspace(parser)
    return parser


def add_workspace(parser: Any) -> None:
    """--workspace, which must be given."""
    parser.add_argument("--workspace", type=path, required=True, metavar="DIR")


def add_device(parser: Any) -> None:
    """--device: what models run on."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def add_engine(parser: Any) -> None:
    """--engine and --address: where work that can be shared out is done."""
    about = "where it is done: on this machine, or a task each on a Ray cluster, where Ray is installed"
    parser.add_argument("--engine", choices=engines.ENGINES, default=engines.LOCAL, help=about)
    about = "of the Ray cluster's head, as 10.0.0.1:6379 (default: Ray on this machine alone)"
    parser.add_argument("--address", metavar="HOST:PORT", help=about)


def chosen_engine(options: argparse.Namespace) -> AbstractContextManager[Engine | None]:
    """The engine of --engine and --address, for --device; see `engines.chosen`."""
    return engines.chosen(options.engine, options.address, options.device)


def add_sharing(group: Any) -> None:
    """--shard, --join, --engine and --address: how a build is shared out."""
    about = "make only the index's segments I, I+N, I+2N, …, going on where it was; every shard with the same options (I from 0)"
    group.add_argument("--shard", metavar="I/N", help=about)
    group.add_argument("--join", action="store_true", help="all shards are done: check that they are, do the rest and publish")
    add_engine(group)


def check_sharing(options: argparse.Namespace) -> None:
    """Raise `SettingsError` for what does not go together."""
    from influence.indexing import Shard  # the command line's help needs none of it

    if options.shard is not None:
        Shard.parse(options.shard)
    ways = {"--shard": options.shard is not None, "--join": options.join, "--engine ray": options.engine != engines.LOCAL}
    asked = [name for name, given in ways.items() if given]
    if len(asked) > 1:
        raise SettingsError(f"{asked[0]} and {asked[1]}: one process of a build does one of them")


def add_encoder(parser: Any) -> None:
    """--encoder: what makes sentence embeddings for the opinions on training labels."""
    about = (
        "sentence encoder for the opinions on training labels, or none (default: the model itself where it is one, else the "
        "packaged MiniLM where installed)"
    )
    parser.add_argument("--encoder", metavar="ID_OR_FOLDER|none", help=about)


def add_opinions(parser: Any) -> None:
    """--opinions: files of what others think of the training labels."""
    about = (
        "what others (a model, an LLM, annotators) think of training labels: example_id, and a label or p_LABEL columns; "
        "kept by the workspace; may be given again for more files"
    )
    parser.add_argument("--opinions", action="append", default=[], type=path, metavar="FILE", help=about)


def add_json(parser: Any) -> None:
    """--json: see `print_answer`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_form(group: Any) -> None:
    """--delimiter and --encoding: what is said of the form of data files."""
    about = "what stands between the fields of a text file, such as ';' or tab (default: found)"
    group.add_argument("--delimiter", metavar="C", help=about)
    about = "of text that is not Unicode, such as windows-1252 (default: none is assumed; likely ones are shown)"
    group.add_argument("--encoding", metavar="NAME", help=about)


def form_options(options: argparse.Namespace) -> FormOptions:
    """What was said of the form. Raises `SettingsError` for what cannot be."""
    return FormOptions(delimiter=options.delimiter, encoding=options.encoding)


def check_top(options: argparse.Namespace) -> None:
    """Raises `SettingsError` for a --top below 1."""
    if options.top < 1:
        raise SettingsError(f"--top {options.top}: must be 1 or more")


def path(text: str) -> str:
    """A name that a file or a folder can have, there or not: not one too long, with a NUL in it, or that cannot be encoded."""
    try:
        Path(text).lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise argparse.ArgumentTypeError(f"{text[:100]!r} is no name of a file or folder: {why}") from error
    return text


def names(text: str) -> tuple[str, ...]:
    """What stands between the commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str) -> tuple[int, ...]:
    """The numbers of --k. Raises `SettingsError` for what is no whole number."""
    try:
        return tuple(int(part) for part in names(text))
    except ValueError as error:
        raise SettingsError(f"--k {text!r}: give whole numbers with commas between, as 10,20,50") from error


def print_answer(
    options: argparse.Namespace, found: Answer, as_json: Callable[[Answer], Any], as_text: Callable[[Answer], str]
) -> None:
    """Print the answer as text, or as one line of JSON where --json was given."""
    print(json.dumps(as_json(found), ensure_ascii=False) if options.json else as_text(found))


def chosen_model(options: argparse.Namespace, texts: Sequence[str]) -> tuple[str, int | None, str | None]:
    """--model and --num-hidden-layers; without a --model the usual one of these training texts, and a note about it."""
    if options.model is not None:
        return options.model, options.num_hidden_layers, None
    usual = usual_model(texts)
    layers = options.num_hidden_layers or usual.num_hidden_layers
    what = "cnn, the paper's" if usual.num_hidden_layers is None else f"MiniLM, its first {layers} layers"
    return usual.model, layers, f"--model is not given: {what}, since {usual.why}"


def print_notes(notes: Iterable[str]) -> None:
    """Tell what the user should know besides, on stderr."""
    for note in notes:
        remark(note)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows by column; None for a missing value, which JSON has no number for."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]
