"""The stages that fill a build folder: tokenizer, tokens, checkpoints, index, results.

Each leaves a marker file when it is whole; run again, it skips what is whole and does the rest with the same result,
because every random choice follows from the seed.
"""

import io
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from influence.checkpoints import (
    RUN,
    CheckpointTrainer,
    Epoch,
    Selection,
    import_checkpoints,
    load_checkpoint,
    read_checkpoints,
    read_epochs,
)
from influence.data import Dataset
from influence.engines import Engine
from influence.errors import ModelError
from influence.files import write_whole
from influence.gradients import GradientSettings, check_model
from influence.indexing import How, check_device, check_whole, is_settled, lay_out, make_pieces, several_cards
from influence.models import (
    CNN,
    Encoding,
    Run,
    TrainingSettings,
    check_own_tokens,
    encode,
    head_notes,
    load_tokenizer,
    long_text,
    longest_input,
    new_classifier,
    padding_of,
    read_run,
    run_tokenizer,
    save_tokenizer,
    supports_pairs,
    train_word_pieces,
    write_encoding,
)
from influence.sealed import finish, is_finished
from influence.types import IntArray, Progress, Stage, StageKind
from influence.workspace.build_request import BuildRequest
from influence.workspace.builds import WorkspaceInfo
from influence.workspace.results import swapped_labels, write_results

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "duckdb", "pandas")


class Pretrained(NamedTuple):
    """What is known of a request's model before anything is built."""

    run: Run | None  # the checkpoints to import
    notes: list[str]  # what a user should know


def look_through(request: BuildRequest, names: list[str]) -> Pretrained:
    """Look through the files of a request's model. Raises `ModelError` where they cannot be used for these labels."""
    if request.checkpoints is not None:
        run = read_run(Path(request.checkpoints), names)
        return Pretrained(run, run.notes)
    return Pretrained(None, head_notes(request.model, names, num_hidden_layers=request.num_hidden_layers))


class BuildStages:
    """One build folder being filled."""

    def __init__(
        self,
        folder: Path,
        request: BuildRequest,
        data: dict[str, Dataset],
        names: list[str],
        pretrained: Pretrained,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.folder, self.request, self.data, self.names = folder, request, data, names
        self.imported, self.device, self.progress = pretrained.run, device, progress
        self.index, self.checkpoints = folder / "index", folder / "checkpoints"
        self.chosen = read_epochs(self.checkpoints) is not None
        self.warnings = [*(note for split in data.values() for note in split.notes), *pretrained.notes]
        self.training_seconds: float | None = None

        self.index_device = device.type

    def run(self, engine: Engine | None = None) -> WorkspaceInfo:
        """Run every stage that is not whole yet; `engine` makes the index, where there is one, or several cards do."""
        engine = engine or several_cards(self.device)
        self.index_device = self.index_device if engine is None else engine.device
        tokenizer, epochs = self.prepare()
        make_pieces(self.folder, engine=engine, progress=self.progress)
        return self._write_results(tokenizer, epochs)

    def join(self, identity: str) -> WorkspaceInfo:
        """Run the stages after the index, whose pieces others have made. Raises `WorkspaceError` for what is missing, or strange.

        `identity` is the digest of the request by which the shards' markers know it.
        """
        tokenizer, epochs = self.prepare()
        check_whole(self.folder, identity)
        return self._write_results(tokenizer, epochs)

    def ready(self) -> None:
        """See that every stage before the index is whole, without asking again what another process has settled."""
        if is_settled(self.folder):
            check_device(self.folder, self.index_device)
        else:
            self.prepare()

    def prepare(self) -> tuple[PreTrainedTokenizerFast, list[Epoch]]:
        """Run every stage before the index that is not whole yet: what its pieces are made of."""
        tokenizer = self._tokenizer()
        if self.imported is not None:
            self.names = self.imported.labels
            if not self.chosen:
                import_checkpoints(self.folder / RUN, self.imported, self.progress)
        encodings = {split: self._encode(split, tokenizer) for split in self.data}
        labels = {split: self._label_indices(split) for split in self.data}
        self._check_model(tokenizer, encodings["train"], labels["train"])
        if self.request.training is not None and not self.chosen:
            self._train(self.request.training, tokenizer, encodings["train"], labels["train"])
        options = GradientSettings(device=self.device, bf16=self.request.bf16)
        selection = Selection(build=self.folder, most=self.request.max_checkpoints, settings=options)
        epochs = selection.run(encodings, labels, self.progress)
        lay_out(self.folder, self._how(), tokenizer)
        return tokenizer, epochs

    def _how(self) -> How:
        request = self.request
        return How(
            top_k=request.top_k,
            store_rest=request.store_rest,
            exact=request.exact,
            bf16=request.bf16,
            checkpoints=len(read_checkpoints(self.checkpoints)),
            device=self.index_device,
            threads=torch.get_num_threads(),
        )

    def _train(
        self, settings: TrainingSettings, tokenizer: PreTrainedTokenizerFast, encoding: Encoding, labels_N: IntArray
    ) -> None:
        self.training_seconds = CheckpointTrainer(
            folder=self.folder / RUN,
            model=self.request.model,
            num_hidden_layers=self.request.num_hidden_layers,
            labels=self.names,
            tokenizer=tokenizer,
            settings=settings,
            epochs=settings.epochs_for(len(self.data["train"])),
            device=self.device,
            keep_optimizer=self.request.keep_optimizer,
        ).run(encoding, labels_N, self.progress)

    def _tokenizer(self) -> PreTrainedTokenizerFast:
        folder = self.checkpoints / "tokenizer"
        if not is_finished(folder):
            self.progress(StageKind.TOKENIZER, 0, 1)
            source = self._source_tokenizer()
            if (longest := self._longest_input()) is not None:
                source.model_max_length = min(source.model_max_length, longest)
            save_tokenizer(source, folder, self.request.checkpoints or self.request.model)
            finish(folder, {})
            self.progress(StageKind.TOKENIZER, 1, 1)
        tokenizer = load_tokenizer(str(folder))
        if self.data["train"].pairs is not None and not supports_pairs(tokenizer):
            raise ModelError(
                f"--text-pair {self.request.columns.text_pair!r}: the tokenizer of {self.request.model!r} "
                "takes single texts only; leave --text-pair out or use a model for text pairs"
            )
        return tokenizer

    def _source_tokenizer(self) -> PreTrainedTokenizerFast:
        if self.imported is not None:
            return run_tokenizer(self.imported, Path(self.request.checkpoints or ""), Path(self.request.model))
        if self.request.model == CNN:
            train = self.data["train"]
            return train_word_pieces(train.texts, pairs=train.pairs)
        return load_tokenizer(self.request.model)

    def _longest_input(self) -> int | None:
        if self.imported is not None:
            return longest_input(str(self.imported.checkpoints[-1].folder))
        return None if self.request.model == CNN else longest_input(self.request.model)

    def _encode(self, split: str, tokenizer: PreTrainedTokenizerFast) -> Encoding:
        folder = self.index / split / "encoding"
        data = self.data[split]
        longest = min(self.request.max_length, tokenizer.model_max_length)
        if not is_finished(folder):
            stage = Stage(StageKind.TOKENIZE, examples=split)
            write_encoding(folder, tokenizer, data.texts, data.pairs, max_length=longest, stage=stage, progress=self.progress)
            finish(folder, {})
        encoding = Encoding.load(folder)
        cut = int(encoding.truncated_N.sum())
        if cut:
            limit = "--max-length" if longest == self.request.max_length else "the model takes no more"
            self.warnings.append(f"{cut:,} of {len(encoding):,} {split} texts were cut at {longest} tokens ({limit})")
        return encoding

    def _label_indices(self, split: str) -> IntArray:
        lookup = {name: index for index, name in enumerate(self.names)}
        labels_N = np.fromiter((lookup[label] for label in self.data[split].labels), dtype=np.int64)
        content = io.BytesIO()
        np.save(content, labels_N)
        write_whole(self.index / split / "labels.npy", content.getvalue())  # shards may have it open
        return labels_N

    def _check_model(self, tokenizer: PreTrainedTokenizerFast, encoding: Encoding, labels_N: IntArray) -> None:
        """Refuse a model whose scores would be wrong before hours of work, and say what training will do to it."""
        if is_settled(self.folder):
            return
        self.progress(StageKind.CHECK, 0, 1)
        request, data = self.request, self.data["train"]
        if request.training is None:
            model = load_checkpoint(self.checkpoints if self.chosen else self.folder / RUN, 0)
        else:
            size, layers = len(tokenizer), request.num_hidden_layers
            model = new_classifier(
                request.model, self.names, seed=request.training.seed, vocabulary=size, num_hidden_layers=layers
            )
        check_own_tokens(model, tokenizer)
        limit = min(request.max_length, tokenizer.model_max_length)
        long = long_text(data.texts, limit)
        longest = encode(tokenizer, [long], None if data.pairs is None else [long], max_length=limit)
        check_model(model, encoding, labels_N, self.device, longest=longest)
        if request.training is not None and not padding_of(model, tokenizer, encoding).harmless:
            self.warnings.append(
                f"what {type(model).__name__} makes of a text hangs on the padding beside it: training pads its batches, "
                "predictions and scores are made without"
            )
        self.progress(StageKind.CHECK, 1, 1)

    def _write_results(self, tokenizer: PreTrainedTokenizerFast, epochs: list[Epoch]) -> WorkspaceInfo:
        request, training = self.request, self.request.training
        train, test = self.data["train"], self.data["test"]
        infos = write_results(self.folder, self.data, self.names, tokenizer, epochs, progress=self.progress)
        checkpoints = [info.as_checkpoint for info in infos if info.checkpoint is not None]
        self.warnings += swapped_labels(self.folder, self.names, len(infos) - 1, len(checkpoints) - 1)
        return WorkspaceInfo(
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
            train_source=train.source,
            train_sha256=train.sha256,
            test_source=test.source,
            test_sha256=test.sha256,
            n_train=len(train),
            n_test=len(test),
            labels=self.names,
            model=request.checkpoints or request.model,
            has_pairs=train.pairs is not None,
            top_k=request.top_k,
            max_length=request.max_length,
            settings={
                "columns": asdict(request.columns),
                "form": asdict(request.form),
                "preparation": asdict(request.preparation) | {"split": request.test is None},
                "num_hidden_layers": request.num_hidden_layers,
                "training": None if training is None else {**asdict(training), "epochs": len(epochs)},
                "checkpoints": request.checkpoints,
                "index": "exact" if request.exact else "all" if request.store_rest else "top-k",
                "max_checkpoints": request.max_checkpoints,
                "optimizer_states": request.keep_optimizer,
                "precision": "bf16" if request.bf16 else "fp32",
                "device": self.device.type,
                **({} if request.made_from is None else {"made_from": request.made_from}),
            },
            versions={package: version(package) for package in PACKAGES},
            checkpoints=checkpoints,
            epochs=infos,
            warnings=self.warnings,
            seconds=0.0,
            bytes=0,
            files={},
            training_seconds=self.training_seconds,
        )
