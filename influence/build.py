"""Building a workspace: data, training or import, index, results, publication. Every stage resumes where it stopped.

Stages leave a marker file when they are whole; a resumed build skips those and does the rest again, with the same
result, because every random choice follows from the seed.
"""

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from influence.dataset import Columns, Dataset, check_labels, label_names, read_dataset
from influence.encoding import Encoding, Progress, common_tokens, encode, silent
from influence.errors import ModelError, SettingsError, WorkspaceError
from influence.files import DONE, file_sizes, sync, write_json
from influence.gradients import GradientSettings, WordGradients
from influence.indexing import IndexSettings, estimated_bytes, write_split
from influence.model import (
    CNN,
    load_classifier,
    load_tokenizer,
    new_classifier,
    read_trainer_folder,
    resolve_device,
    supports_pairs,
    train_word_pieces,
)
from influence.results import write_results
from influence.training import TrainingSettings, default_settings, make_optimizer, train_epoch, with_overrides
from influence.workspace import (
    BUILDS,
    WorkspaceInfo,
    build_lock,
    open_workspace,
    publish,
    read_pointer,
    unfinished_builds,
)

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "duckdb", "pandas")
STATE = "build.json"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """Everything that decides what a build contains; two equal requests give equal builds."""

    train: str
    test: str
    columns: Columns
    model: str = CNN
    num_hidden_layers: int | None = None
    checkpoints: str | None = None  # a Trainer output folder to import instead of training
    training: TrainingSettings | None = None  # None: imported
    max_length: int = 128
    top_k: int = 10
    store_rest: bool = True
    bf16: bool = False

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SettingsError(f"--top-k {self.top_k}: must be 1 or more")
        if self.max_length < 3:
            raise SettingsError(f"--max-length {self.max_length}: must be 3 or more (a word between start and end)")
        if (self.training is None) == (self.checkpoints is None):
            raise SettingsError("give training settings or --checkpoints, and not both")
        if self.checkpoints is not None and self.num_hidden_layers is not None:
            raise SettingsError("--num-hidden-layers cuts a model before training; it does not go with --checkpoints")


def training_settings(model: str, **overrides: Any) -> TrainingSettings:
    """The defaults of a kind of model with the given values (None: left as they are) put in."""
    return with_overrides(default_settings(model), **overrides)


def build_workspace(
    path: str | Path, request: BuildRequest, *, device: str = "auto", resume: bool = False, progress: Progress = silent
) -> WorkspaceInfo:
    """Build a workspace and publish it; until then whatever was published before stays as it is.

    Raises a `WordtraceError` for bad data, models or settings, before anything is written where that can be known.
    """
    started = time.monotonic()
    path = Path(path)
    train = read_dataset(request.train, request.columns, split="train")
    test = read_dataset(request.test, request.columns, split="test")
    names = label_names(train)
    check_labels(test, names)
    identity = _identity(request, train, test)
    with _disk_full(path), build_lock(path):
        if resume and (published := _published(path, identity)) is not None:
            return published
        folder = _build_folder(path, identity, resume=resume)
        build = _Build(folder, request, train, test, names, resolve_device(device), progress)
        info = build.run()
        info = _with_seconds(info, folder, started)
        sync(folder)
        publish(path, folder, info)
    return info


class _Build:
    """One build folder being filled, stage by stage."""

    def __init__(
        self,
        folder: Path,
        request: BuildRequest,
        train: Dataset,
        test: Dataset,
        names: list[str],
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.folder, self.request, self.progress, self.device = folder, request, progress, device
        self.data = {"train": train, "test": test}
        self.names = names
        self.warnings: list[str] = []
        self.index = folder / "index"

    def run(self) -> WorkspaceInfo:
        self._prepare_tokenizer()
        if self.request.checkpoints is not None:
            self._import_checkpoints()
        self.encodings = {split: self._encode(split) for split in self.data}
        self.labels = {split: self._label_indices(split) for split in self.data}
        if self.request.training is not None:
            self._train(self.request.training)
        self._write_index()
        info = self._info()
        checkpoints = write_results(
            self.folder,
            self.data,
            self.names,
            self.tokenizer,
            [c["name"] for c in self._checkpoints()],
            [c["learning_rate"] for c in self._checkpoints()],
            [c["train_loss"] for c in self._checkpoints()],
            progress=self.progress,
        )
        return WorkspaceInfo(**{**info, "checkpoints": checkpoints})

    # Tokenizer and tokens ------------------------------------------------------------------------------------------

    def _prepare_tokenizer(self) -> None:
        folder = self.folder / "checkpoints" / "tokenizer"
        if not (folder / DONE).is_file():
            self.progress("tokenizer", 0, 1)
            self._source_tokenizer().save_pretrained(folder)
            write_json(folder / DONE, {})
        self.tokenizer = load_tokenizer(str(folder))
        if self.data["train"].pairs is not None and not supports_pairs(self.tokenizer):
            raise ModelError(
                f"--text-pair {self.request.columns.text_pair!r}: the tokenizer of {self.request.model!r} "
                "takes single texts only; leave --text-pair out or use a model for text pairs"
            )

    def _source_tokenizer(self) -> Any:
        train = self.data["train"]
        if self.request.checkpoints is not None:
            last = read_trainer_folder(Path(self.request.checkpoints))[-1].folder
            for place in (last, Path(self.request.checkpoints), Path(self.request.model)):
                if any((place / name).is_file() for name in ("tokenizer.json", "vocab.txt", "tokenizer.model")):
                    return load_tokenizer(str(place))
            raise ModelError(
                f"{str(last)!r} holds no tokenizer; pass it to the Trainer as processing_class, or name its folder with --model"
            )
        if self.request.model == CNN:
            return train_word_pieces([*train.texts, *(train.pairs or [])])
        return load_tokenizer(self.request.model)

    def _encode(self, split: str) -> Encoding:
        folder = self.index / split / "encoding"
        data = self.data[split]
        if not (folder / DONE).is_file():
            longest = min(self.request.max_length, self.tokenizer.model_max_length)

            def progress(_stage: str, done: int, total: int) -> None:
                self.progress(f"tokenize {split}", done, total)

            encode(self.tokenizer, data.texts, data.pairs, max_length=longest, progress=progress).save(folder)
            write_json(folder / DONE, {})
        encoding = Encoding.load(folder)
        cut = int(encoding.truncated_N.sum())
        if cut:
            self.warnings.append(
                f"{cut:,} of {len(encoding):,} {split} texts were cut at {self.request.max_length} tokens (--max-length)"
            )
        return encoding

    def _label_indices(self, split: str) -> Any:
        lookup = {name: index for index, name in enumerate(self.names)}
        labels = np.array([lookup[label] for label in self.data[split].labels], dtype=np.int64)
        np.save(self.index / split / "labels.npy", labels)
        return labels

    # Checkpoints ---------------------------------------------------------------------------------------------------

    def _train(self, settings: TrainingSettings) -> None:
        for epoch in range(1, settings.epochs + 1):
            folder = self._checkpoint_folder(epoch - 1)
            if (folder / DONE).is_file():
                continue
            model, optimizer = self._resume_point(settings, epoch)
            for at in range(epoch, settings.epochs + 1):
                loss = train_epoch(
                    model,
                    optimizer,
                    self.encodings["train"],
                    self.labels["train"],
                    settings,
                    epoch=at,
                    pad_token=self.tokenizer.pad_token_id,
                    progress=self.progress,
                )
                self._save_epoch(model, optimizer, settings, at, loss)
            return

    def _resume_point(self, settings: TrainingSettings, epoch: int) -> tuple[Any, torch.optim.Optimizer]:
        """Model and optimizer as they were when `epoch` began."""
        if epoch > 1:
            before = self._checkpoint_folder(epoch - 2)
            model = load_classifier(str(before)).to(self.device)
            optimizer = make_optimizer(model.requires_grad_(True), settings)
            optimizer.load_state_dict(torch.load(before / "optimizer.pt", weights_only=True, map_location=self.device))
            return model, optimizer
        model = new_classifier(
            self.request.model,
            self.names,
            seed=settings.seed,
            vocabulary=len(self.tokenizer),
            num_hidden_layers=self.request.num_hidden_layers,
        )
        model.config.pad_token_id = self.tokenizer.pad_token_id
        return model.to(self.device), make_optimizer(model, settings)

    def _save_epoch(self, model: Any, optimizer: Any, settings: TrainingSettings, epoch: int, loss: float) -> None:
        folder = self._checkpoint_folder(epoch - 1)
        model.save_pretrained(folder)
        if epoch < settings.epochs:
            torch.save(optimizer.state_dict(), folder / "optimizer.pt")
        write_json(
            folder / DONE, {"name": f"epoch {epoch}", "learning_rate": settings.learning_rate, "train_loss": loss}
        )
        if epoch > 1:
            (self._checkpoint_folder(epoch - 2) / "optimizer.pt").unlink(missing_ok=True)

    def _import_checkpoints(self) -> None:
        source = Path(str(self.request.checkpoints))
        found = read_trainer_folder(source)
        useful = [checkpoint for checkpoint in found if checkpoint.learning_rate > 0]
        for checkpoint in found:
            if checkpoint.learning_rate == 0:
                self.warnings.append(
                    f"{checkpoint.folder.name} was saved at learning rate 0, so it would add nothing to any score; left out"
                )
        if not useful:
            raise ModelError(
                f"--checkpoints {str(source)!r}: every checkpoint has learning rate 0, so every score would be 0; "
                "train with save_strategy='epoch' and a schedule that does not end at 0"
            )
        self.names = _model_labels(load_classifier(str(useful[0].folder)).config, self.names, source)
        for number, checkpoint in enumerate(useful):
            folder = self._checkpoint_folder(number)
            if (folder / DONE).is_file():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for file in (checkpoint.folder / "config.json", *checkpoint.folder.glob("*.safetensors*")):
                shutil.copyfile(file, folder / file.name)
            write_json(
                folder / DONE,
                {"name": checkpoint.folder.name, "learning_rate": checkpoint.learning_rate, "train_loss": None},
            )
            self.progress("import checkpoints", number + 1, len(useful))

    def _checkpoint_folder(self, number: int) -> Path:
        return self.folder / "checkpoints" / str(number)

    def _checkpoints(self) -> list[dict[str, Any]]:
        found = []
        while (done := self._checkpoint_folder(len(found)) / DONE).is_file():
            found.append(json.loads(done.read_text(encoding="utf-8")))
        return found

    # Index ---------------------------------------------------------------------------------------------------------

    def _write_index(self) -> None:
        settings = IndexSettings(top_k=self.request.top_k, store_rest=self.request.store_rest)
        count = len(self._checkpoints())
        for number in range(count):
            if all((self.index / split / str(number) / DONE).is_file() for split in self.data):
                continue
            model = load_classifier(str(self._checkpoint_folder(number)))
            vocabulary = max(len(self.tokenizer), model.get_input_embeddings().weight.shape[0])
            if number == 0:
                self._check_disk(model.get_input_embeddings().weight.shape[1], count, settings)
                self._save_token_kinds(vocabulary)
            options = GradientSettings(device=self.device, pad_token=self.tokenizer.pad_token_id, bf16=self.request.bf16)
            with WordGradients(model, options) as gradients:
                for split, encoding in self.encodings.items():
                    write_split(
                        gradients,
                        encoding,
                        self.labels[split],
                        self.index / split / str(number),
                        settings=settings,
                        vocabulary=vocabulary,
                        by_token=split == "train",
                        stage=f"gradients {number + 1}/{count} {split}",
                        progress=self.progress,
                    )

    def _save_token_kinds(self, vocabulary: int) -> None:
        special = np.zeros(vocabulary, dtype=np.bool_)
        for encoding in self.encodings.values():
            special[np.unique(encoding.tokens_R[encoding.special_R])] = True
        np.save(self.index / "special_tokens.npy", special)
        np.save(self.index / "common_tokens.npy", common_tokens(self.tokenizer, vocabulary) | special)

    def _check_disk(self, width: int, count: int, settings: IndexSettings) -> None:
        needed = estimated_bytes(self.encodings["train"], width, count, settings)
        needed += 4 * width * count * len(self.encodings["test"].tokens_R)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise WorkspaceError(
                f"disk full: the index needs about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free at "
                f"{str(self.folder)!r}; free some space, or use fewer --epochs or --index top-k, and add --resume"
            )

    def _info(self) -> dict[str, Any]:
        train, test = self.data["train"], self.data["test"]
        settings = {
            "columns": asdict(self.request.columns),
            "num_hidden_layers": self.request.num_hidden_layers,
            "training": None if self.request.training is None else asdict(self.request.training),
            "checkpoints": self.request.checkpoints,
            "index": "all" if self.request.store_rest else "top-k",
            "precision": "bf16" if self.request.bf16 else "fp32",
            "device": self.device.type,
        }
        return {
            "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "train_source": train.source,
            "train_sha256": train.sha256,
            "test_source": test.source,
            "test_sha256": test.sha256,
            "n_train": len(train),
            "n_test": len(test),
            "labels": self.names,
            "model": self.request.model if self.request.checkpoints is None else self.request.checkpoints,
            "has_pairs": train.pairs is not None,
            "top_k": self.request.top_k,
            "max_length": self.request.max_length,
            "settings": settings,
            "versions": {package: version(package) for package in PACKAGES},
            "warnings": self.warnings,
            "seconds": 0.0,
            "bytes": 0,
            "files": {},
        }


def _model_labels(config: Any, names: list[str], source: Path) -> list[str]:
    """The data's label names in the order of the imported model's outputs."""
    own = [str(config.id2label[index]) for index in range(config.num_labels)]
    if set(names) <= set(own):
        return own
    if all(name.isdecimal() and int(name) < config.num_labels for name in names):
        return [str(index) for index in range(config.num_labels)]
    raise ModelError(
        f"--checkpoints {str(source)!r}: the model's labels are {', '.join(own)}, the data's are {', '.join(names)}; "
        "set id2label in the model's config.json to the data's labels, or use the label numbers in the data"
    )


def _identity(request: BuildRequest, train: Dataset, test: Dataset) -> dict[str, Any]:
    """What a build folder must agree with to be resumed: the request, and the bytes of everything it names."""
    return {
        "request": json.loads(json.dumps(asdict(request))),
        "train_sha256": train.sha256,
        "test_sha256": test.sha256,
        "model_sha256": _model_hash(request.checkpoints or request.model),
    }


def _model_hash(name: str) -> str | None:
    folder = Path(name)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.json")]):
        digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _published(path: Path, identity: dict[str, Any]) -> WorkspaceInfo | None:
    """The published build, when it is the one asked for."""
    try:
        build = path / BUILDS / read_pointer(path)["build"]
        if json.loads((build / STATE).read_text(encoding="utf-8")) != identity:
            return None
        workspace = open_workspace(path)
    except (WorkspaceError, OSError, ValueError):
        return None
    workspace.close()
    return workspace.info


def _build_folder(path: Path, identity: dict[str, Any], *, resume: bool) -> Path:
    """The folder to build in: the unfinished one of the same request when resuming, else a fresh one."""
    leftovers = unfinished_builds(path)
    if resume:
        for leftover in leftovers:
            state = leftover / STATE
            if state.is_file() and json.loads(state.read_text(encoding="utf-8")) == identity:
                return leftover
        if any((leftover / STATE).is_file() for leftover in leftovers):
            raise SettingsError(
                "--resume: the unfinished build was started with other data or settings; "
                "give the same options again, or leave --resume out to start over"
            )
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True)
    folder = path / BUILDS / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    folder.mkdir(parents=True)
    write_json(folder / STATE, identity)
    return folder


@contextmanager
def _disk_full(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise WorkspaceError(
                f"disk full while writing workspace {str(path)!r}; free some space and run the same command with --resume"
            ) from error
        if isinstance(error, PermissionError | NotADirectoryError | FileExistsError):
            raise WorkspaceError(f"workspace {str(path)!r} cannot be written: {error.strerror}; choose another folder") from error
        raise


def _with_seconds(info: WorkspaceInfo, folder: Path, started: float) -> WorkspaceInfo:
    files = file_sizes(folder)
    content = {**vars(info), "files": files, "bytes": sum(files.values()), "seconds": round(time.monotonic() - started, 1)}
    return WorkspaceInfo(**content)
