"""What the address says the Data and runs page shows: a part, and for a new workspace the data and every setting."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import influence
from influence.candidates import RANKS
from influence.checkpoints import MOST_CHECKPOINTS
from influence.errors import SettingsError
from influence.models import ENCODER_LAYERS, GET_DEMO, demo_model
from influence.reading import ENCODINGS
from pages.ui.data import files as data_files
from pages.ui.frame import Address

PARTS = {
    "new": "New workspace",
    "candidates": "New rows",
    "runs": "Runs",
    "workspaces": "Workspaces",
    "compare": "Compare",
    "files": "Files",
}
MODELS = {"cnn": "Small CNN", "demo": f"MiniLM, {ENCODER_LAYERS} layers", "hub": "Hub model", "folder": "Model folder"}
FILE, HUB = "file", "hub"
DELIMITERS = {"": "found by itself", ",": "commas", ";": "semicolons", "tab": "tabs", "|": "vertical bars"}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
LONGEST_HUB_ID = 200
MOMENTA = {"": "usual: 0.9", "0": "none", "0.5": "0.5", "0.8": "0.8", "0.95": "0.95", "0.99": "0.99"}
DECAYS = {"": "none", "0.0001": "0.0001", "0.001": "0.001", "0.01": "0.01", "0.1": "0.1"}
LENGTHS = (32, 64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class DataAddress(Address):
    """Every field is one parameter of the address; fields at their default are left out of it."""

    part: str = "new"
    source: str = FILE
    train: str = ""  # a file's name in the listing, or a Hub id
    test: str = ""  # the same; of a Hub id, "test" for its own test split
    delimiter: str = ""  # empty: found
    encoding: str = ""  # empty: found, of a file that is not Unicode asked for
    text: str = ""  # empty: guessed
    pair: str = ""
    label: str = ""
    id: str = ""
    mend: int = 1  # leave unusable rows out, make spellings one
    share: int = 20  # per cent of the rows to test on, where there is no test file
    model: str = ""  # empty: the usual one of the data
    weights: str = ""  # Hub id or folder
    layers: int = 0  # 0: all
    epochs: int = 0  # 0: as many as suit
    length: int = 128
    most: int = MOST_CHECKPOINTS  # checkpoints that scores are summed over
    seed: int = 0
    freeze: int = 0  # the word embedding stays as it began
    momentum: str = ""  # of SGD; empty: the usual
    decay: str = ""  # of weights; empty: none
    moments: int = 0  # AdamW's second moments are kept
    name: str = ""
    one: str = ""  # the workspaces compared
    two: str = ""
    new: str = ""  # the file of new rows to rank
    given: str = ""  # of the mistakes that they are to help: the label
    said: str = ""  # and the one predicted
    sentence: str = ""  # a test sentence instead, by its id
    rank: str = "influence"
    unlabelled: int = 0
    page: int = 1

    @property
    def columns_named(self) -> bool:
        """Whether the columns were chosen rather than guessed."""
        return bool(self.text and self.label)

    def data(self) -> tuple[str, ...]:
        """What the report of the data is about."""
        return self.source, self.train, self.test, self.delimiter, self.encoding, self.text, self.pair, self.label, self.id

    def data_options(self) -> list[str]:
        """The files and columns as options of `check` and `build`. Raises `SettingsError` for what is not in the listing."""
        options = ["--train", _file(self.train, self.source)]
        if self.test:
            options += ["--test", f"{self.train}:test" if self.source == HUB else _file(self.test, FILE)]
        options += ["--delimiter", self.delimiter] if self.delimiter else []
        options += ["--encoding", self.encoding] if self.encoding else []
        if self.columns_named:
            options += ["--text", self.text, "--label", self.label]
            options += ["--text-pair", self.pair] if self.pair else []
            options += ["--id", self.id] if self.id else []
        return options

    def model_options(self) -> list[str]:
        """The model and its settings as options. Raises `SettingsError` for one that cannot be had here."""
        options = ["--model", _model(self.model, self.weights)] if self.model else []
        if self.model == "demo":
            options += ["--num-hidden-layers", str(ENCODER_LAYERS)]
        elif self.model != "cnn" and self.layers:
            options += ["--num-hidden-layers", str(self.layers)]
        if self.epochs:
            options += ["--epochs", str(self.epochs)]
        return [*options, "--max-length", str(self.length), "--max-checkpoints", str(self.most)]

    def stamp(self, options: list[str]) -> str:
        """A key that changes with the options and with the files."""
        files = data_files.listing()
        known = [asdict(files[name]) for name in (self.train, self.test) if name in files]
        return hashlib.sha256(json.dumps([options, known]).encode()).hexdigest()[:20]


def read_address(parameters: dict[str, str], workspace: str, names: list[str]) -> tuple[DataAddress, list[str]]:
    """The address as far as it makes sense, and the names of the parameters that do not."""
    allowed: dict[str, Any] = {
        "part": PARTS, "source": (FILE, HUB), "delimiter": DELIMITERS, "encoding": ("", *ENCODINGS), "model": MODELS,
        "rank": RANKS, "momentum": MOMENTA, "decay": DECAYS, "one": names, "two": names,
    }  # fmt: skip
    ranges = {
        "mend": (0, 1), "share": (5, 50), "layers": (0, 99), "epochs": (0, 99), "length": (3, 8192), "seed": (0, 10**6),
        "most": (1, 99), "freeze": (0, 1), "moments": (0, 1), "unlabelled": (0, 1), "page": (1, 10**6),
    }  # fmt: skip
    address, ignored = DataAddress.read(parameters, workspace=workspace, allowed=allowed, ranges=ranges)
    if address.source == FILE:
        files = data_files.listing()
        for field in ("train", "test", "new"):
            if (name := getattr(address, field)) and name not in files:
                address, ignored = address.at(**{field: ""}), [*ignored, field]
    elif address.train and not is_hub_id(address.train):
        address, ignored = address.at(train=""), [*ignored, "train"]
    return address, ignored


def is_hub_id(text: str) -> bool:
    """Whether a text can be the id of something on the Hub, and no path."""
    return bool(HUB_ID.fullmatch(text)) and len(text) <= LONGEST_HUB_ID and ".." not in text and not Path(text).suffix


def _file(name: str, source: str) -> str:
    if source == HUB:
        if not is_hub_id(name):
            raise SettingsError(f"{name[:80]!r} is not a Hub id: they look like owner/name")
        if Path(name).exists():
            raise SettingsError(f"{name[:80]!r} is also a folder where the server runs; rename that one")
        return name
    if name not in data_files.listing():
        raise influence.DataError(f"there is no data file {name[:80]!r} on this server")
    return str((data_files.folder() / name).resolve())


def _model(kind: str, weights: str) -> str:
    if kind == "cnn":
        return "cnn"
    if kind == "demo":
        if (found := demo_model()) is None:
            raise SettingsError(f"the demo's MiniLM is not installed here: {GET_DEMO}")
        return str(found)
    if kind == "folder":
        if weights not in data_files.model_folders():
            raise SettingsError(f"there is no model folder {weights[:80]!r} under the server's data folder")
        return str((data_files.folder() / weights).resolve())
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", weights) or ".." in weights or Path(weights).exists():
        raise SettingsError(f"{weights[:80]!r} is not a Hub id: they look like owner/name")
    return weights
