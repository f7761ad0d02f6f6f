"""Output folders as real Trainers leave them: imported with these learning rates and the run's own model, or one line.

Two oracles: the schedule's closed form for the learning rates, and plain transformers on the folder's own model for the
logits, in float32, one unpadded text at a time.
"""

import json
import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import bert, request, rows, word_pieces, write_csv
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from influence.checkpoints.series import Checkpoint, checkpoint_folder, import_checkpoints, read_checkpoints
from influence.errors import ModelError
from influence.models.model import load_classifier
from influence.models.trainer import Run, read_run
from influence.types import silent
from influence.workspace.build import build_workspace
from influence.workspace.workspace import opened

LABELS = ["neg", "pos"]
PEAK, STEPS, EPOCHS = 1e-3, 4, 3  # steps an epoch
TEXTS = ["the film was very good", "a dull plot and an awful actor", "so"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return word_pieces()


def classifier(tokenizer: PreTrainedTokenizerFast, names: Sequence[str] = LABELS) -> Any:
    model = bert(len(tokenizer), len(names), seed=0)
    model.config.id2label, model.config.label2id = dict(enumerate(names)), {name: at for at, name in enumerate(names)}
    return model


class Earliness:
    """A metric that falls whenever it is asked for, so that the first checkpoint is the best."""

    def __init__(self) -> None:
        self.value = 1.0

    def __call__(self, _: Any) -> dict[str, float]:
        self.value -= 0.1
        return {"earliness": self.value}


def run_trainer(
    folder: Path,
    tokenizer: PreTrainedTokenizerFast,
    model: Any,
    *,
    labels: Sequence[Any] | None = None,
    resume: bool = False,
    **changes: Any,
) -> Trainer:
    """Three epochs of four steps, a checkpoint each, the rate of every step logged, unless changed."""
    table = rows(8 * STEPS, seed=1)
    given = [LABELS.index(label) for _, _, label in table] if labels is None else labels
    encoded = [{**tokenizer(text, padding="max_length", max_length=16, truncation=True)} for _, text, _ in table]
    examples: Any = [{**one, "labels": label} for one, label in zip(encoded, given, strict=True)]
    arguments: dict[str, Any] = {
        "output_dir": str(folder), "num_train_epochs": EPOCHS, "per_device_train_batch_size": 8, "learning_rate": PEAK,
        "save_strategy": "epoch", "logging_steps": 1, "report_to": [], "use_cpu": True, "disable_tqdm": True,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Trainer's own
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**{**arguments, **changes}),
            train_dataset=examples,
            eval_dataset=examples[:8],
            processing_class=tokenizer,
            compute_metrics=Earliness(),
        )
        trainer.train(resume_from_checkpoint=resume or None)
    return trainer


@pytest.fixture(scope="module")
def linear(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a Trainer leaves by default: linear decay, no model in the folder itself. Not to be changed."""
    folder = tmp_path_factory.mktemp("linear") / "output"
    run_trainer(folder, tokenizer, classifier(tokenizer))
    return folder


@pytest.fixture
def output(linear: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(linear, tmp_path / "output"))


def imported(folder: Path, target: Path, labels: Sequence[str] = LABELS) -> Run:
    run = read_run(folder, labels)
    import_checkpoints(target, run, silent)
    assert read_checkpoints(target) == [Checkpoint(c.name, c.learning_rate, None) for c in run.checkpoints]
    return run


def logits(model: Any, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    with torch.no_grad():
        return torch.stack(
            [model.eval()(**tokenizer(text, return_tensors="pt", return_token_type_ids=True)).logits[0] for text in TEXTS]
        )


def plainly(folder: Path, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    return logits(AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32), tokenizer)


def linear_rate(step: int, total: int = STEPS * EPOCHS) -> float:
    """In force in that step, counted from 1."""
    return PEAK * (total - (step - 1)) / total


# Runs that are imported -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """How a run is made, and what is imported of it."""

    changes: dict[str, Any] = field(default_factory=dict)
    rates: Callable[[int], float] = linear_rate
    steps: tuple[int, ...] = (4, 8, 12)
    logged: dict[int, int] = field(default_factory=dict)  # the step that a checkpoint's rate is from, where it is another
    notes: tuple[str, ...] = ()
    final: str = "checkpoint-12"
    save_model: bool = False


def warmed(step: int, warmup: int = 6) -> float:
    return PEAK * min((step - 1) / warmup, (12 - (step - 1)) / (12 - warmup))


BEST = {"eval_strategy": "epoch", "load_best_model_at_end": True, "metric_for_best_model": "earliness"}
RARE = "the learning rate of checkpoint-{}, {:g}, was logged at step {}"
SHAPES: dict[str, Shape] = {
    "constant": Shape({"lr_scheduler_type": "constant"}, lambda step: PEAK),
    "cosine": Shape({"lr_scheduler_type": "cosine"}, lambda step: PEAK * (1 + math.cos(math.pi * (step - 1) / 12)) / 2),
    "polynomial": Shape(
        {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2.0, "lr_end": 0.0}},
        lambda step: PEAK * (1 - (step - 1) / 12) ** 2,
    ),
    "warm-up": Shape({"warmup_steps": 6}, warmed),
    "warm-up, then constant": Shape(
        {"warmup_steps": 6, "lr_scheduler_type": "constant_with_warmup"}, lambda step: PEAK * min((step - 1) / 6, 1)
    ),
    "logged once an epoch": Shape({"logging_strategy": "epoch"}),
    "logged rarely": Shape(
        {"logging_steps": 3},
        logged={4: 3, 8: 6},
        notes=(RARE.format(4, linear_rate(3), 3), RARE.format(8, linear_rate(6), 6)),
    ),
    "saved every six steps": Shape({"save_strategy": "steps", "save_steps": 6}, steps=(6, 12)),
    "few kept": Shape({"save_total_limit": 2}, steps=(8, 12)),
    "saved at the end": Shape(save_model=True),
    "the best loaded and saved": Shape(
        BEST,
        steps=(4,),
        save_model=True,
        final="checkpoint-4",
        notes=(
            "the model in {folder!r} is checkpoint-4, so the run ends there (load_best_model_at_end); left out: checkpoint-8, "
            "checkpoint-12",
        ),
    ),
    "the best loaded": Shape(
        BEST,
        notes=(
            "the run's best model was checkpoint-4; explained is the last, checkpoint-12: to explain the best, save it into the "
            "folder itself with trainer.save_model()",
        ),
    ),
}  # fmt: skip


QUICK = {"cosine", "the best loaded and saved"}


@pytest.mark.parametrize("case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in SHAPES])
def test_a_run_is_imported_with_its_learning_rates_and_its_final_model(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, case: str
) -> None:
    shape, folder = SHAPES[case], tmp_path / "output"
    trainer = run_trainer(folder, tokenizer, classifier(tokenizer), **shape.changes)
    if shape.save_model:
        trainer.save_model()
    run = imported(folder, tmp_path / "w")
    assert run.notes == [note.format(folder=str(folder)) for note in shape.notes]
    assert [c.name for c in run.checkpoints] == [f"checkpoint-{step}" for step in shape.steps]
    expected = [shape.rates(shape.logged.get(step, step)) for step in shape.steps]
    assert [c.learning_rate for c in run.checkpoints] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    for number, step in enumerate(shape.steps):
        found = logits(load_classifier(str(checkpoint_folder(tmp_path / "w", number))), tokenizer)
        assert torch.equal(found, plainly(folder / f"checkpoint-{step}", tokenizer))
    own = plainly(folder if shape.save_model else folder / shape.final, tokenizer)
    assert torch.equal(found, own)
    assert run.labels == LABELS


@pytest.mark.slow
def test_a_resumed_run_is_one_run(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    """Two epochs of three, then the third by another process: the log has both, with the schedule of the second from there."""
    folder = tmp_path / "output"
    run_trainer(folder, tokenizer, classifier(tokenizer), num_train_epochs=2)
    run_trainer(folder, tokenizer, classifier(tokenizer), resume=True)
    run = imported(folder, tmp_path / "w")
    assert run.notes == []
    expected = [linear_rate(4, 8), linear_rate(8, 8), linear_rate(12)]
    assert [c.learning_rate for c in run.checkpoints] == pytest.approx(expected)
    found = logits(load_classifier(str(checkpoint_folder(tmp_path / "w", 2))), tokenizer)
    assert torch.equal(found, plainly(folder / "checkpoint-12", tokenizer))


# Runs that were changed, imported all the same --------------------------------------------------------------------------

Change = Callable[[Path], Any]


def to_weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], pattern: str = "checkpoint-*") -> Change:
    def apply(output: Path) -> None:
        for file in output.glob(f"{pattern}/model.safetensors"):
            save_file({name: tensor.clone().contiguous() for name, tensor in change(load_file(file)).items()}, file)

    return apply


def to_configs(pattern: str = "checkpoint-*", **changes: Any) -> Change:
    def apply(output: Path) -> None:
        for file in output.glob(f"{pattern}/config.json"):
            file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return apply


def in_shards(output: Path) -> None:
    for folder in output.glob("checkpoint-*"):
        model = AutoModelForSequenceClassification.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="8KB")
        assert len(list(folder.glob("*.safetensors"))) > 2


def ended_at_rate_0(output: Path) -> None:
    """As versions before 5 log a linear decay: the rate that follows a step instead of the one it took."""
    for file in output.glob("checkpoint-*/trainer_state.json"):
        state = json.loads(file.read_text())
        for entry in state["log_history"]:
            if "learning_rate" in entry:
                entry["learning_rate"] = linear_rate(entry["step"] + 1)
        file.write_text(json.dumps(state))


def another_final_model(output: Path) -> None:
    """Trained on after the last checkpoint, then saved."""
    shutil.copytree(output / "checkpoint-12", output, dirs_exist_ok=True)
    to_weights(lambda weights: {name: tensor + 0.01 for name, tensor in weights.items()}, pattern=".")(output)


def odd_folders(output: Path) -> None:
    """Folders that `str.isdigit` takes for checkpoints and `int` does not, and others that are none."""
    for name in ("checkpoint-²", "checkpoint-٣", "checkpoint-best", "tmp-checkpoint-16", "checkpoint-", "checkpoint-4.5"):
        (output / name).mkdir()
    (output / "checkpoint-99").write_text("a file")


def leftovers(output: Path) -> None:
    """The first checkpoint is of an earlier run with another rate."""
    file = output / "checkpoint-4" / "trainer_state.json"
    file.write_text(file.read_text().replace('"learning_rate": 0.001,', '"learning_rate": 0.002,'))


CHANGED: dict[str, tuple[Change, list[float], list[str]]] = {
    "as it is": (lambda output: None, [linear_rate(4), linear_rate(8), linear_rate(12)], []),
    "shards": (in_shards, [linear_rate(4), linear_rate(8), linear_rate(12)], []),
    "data parallel": (
        to_weights(lambda w: {f"module.{name}": tensor for name, tensor in w.items()}),
        [linear_rate(4), linear_rate(8), linear_rate(12)],
        [],
    ),
    "torch.compile": (
        to_weights(lambda w: {f"_orig_mod.{name}": tensor for name, tensor in w.items()}),
        [linear_rate(4), linear_rate(8), linear_rate(12)],
        [],
    ),
    "odd folders beside": (odd_folders, [linear_rate(4), linear_rate(8), linear_rate(12)], []),
    "another's kernel": (
        to_configs(_attn_implementation="owner/kernel"), [linear_rate(4), linear_rate(8), linear_rate(12)], []
    ),
    "ended at rate 0": (
        ended_at_rate_0,
        [linear_rate(5), linear_rate(9), 0.0],
        [
            "checkpoint-12 has learning rate 0: as the last checkpoint it gives the predictions, influence-last and "
            "representer, and adds nothing to sums over checkpoints"
        ],
    ),
    "another final model": (
        another_final_model,
        [linear_rate(4), linear_rate(8), linear_rate(12), 0.0],
        [
            "the model in {folder!r} is none of its checkpoints: it counts as one after them, with learning rate 0",
            "final model has learning rate 0: as the last checkpoint it gives the predictions, influence-last and "
            "representer, and adds nothing to sums over checkpoints",
        ],
    ),
    "leftovers of another run": (
        leftovers,
        [linear_rate(4), linear_rate(8), linear_rate(12)],
        ["checkpoint-4 and checkpoint-8 do not seem to be of one run: the log of checkpoint-8 begins otherwise"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_a_run_in_another_dress_is_imported_alike(
    output: Path, linear: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, case: str
) -> None:
    change, rates, notes = CHANGED[case]
    change(output)
    run = imported(output, tmp_path / "w")
    assert run.notes == [note.format(folder=str(output)) for note in notes]
    assert [c.learning_rate for c in run.checkpoints] == pytest.approx(rates)
    places = [linear / "checkpoint-4", linear / "checkpoint-8", linear / "checkpoint-12"]
    for number, place in enumerate([*places, output][: len(rates)]):
        model = load_classifier(str(checkpoint_folder(tmp_path / "w", number)))
        assert torch.equal(logits(model, tokenizer), plainly(place, tokenizer))
        kept = {file.name for file in checkpoint_folder(tmp_path / "w", number).iterdir()}
        assert kept - {"done.json", "hashes.json"} == {"config.json", "model.safetensors"}  # no optimizer, no code, no shards


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_checkpoints_of_half_precision_are_kept_in_float32(
    output: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, dtype: torch.dtype
) -> None:
    to_weights(lambda weights: {name: tensor.to(dtype) for name, tensor in weights.items()})(output)
    imported(output, tmp_path / "w")
    kept = load_file(checkpoint_folder(tmp_path / "w", 2) / "model.safetensors")
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}
    model = load_classifier(str(checkpoint_folder(tmp_path / "w", 2)))
    assert torch.equal(logits(model, tokenizer), plainly(output / "checkpoint-12", tokenizer))


def test_outputs_are_known_by_their_names(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    """In the model's order, in the data's spelling; an output that the data has no label for stays."""
    folder = tmp_path / "output"
    labels = [(1, 0)[LABELS.index(label)] for _, _, label in rows(8 * STEPS, seed=1)]
    run_trainer(folder, tokenizer, classifier(tokenizer, ["POS", "Neg", "mixed"]), labels=labels, num_train_epochs=1)
    run = imported(folder, tmp_path / "w")
    assert run.labels == ["pos", "neg", "mixed"]
    model = load_classifier(str(checkpoint_folder(tmp_path / "w", 0)))
    assert model.config.id2label == {0: "pos", 1: "neg", 2: "mixed"}
    assert torch.equal(logits(model, tokenizer), plainly(folder / "checkpoint-4", tokenizer))


# Runs that are refused --------------------------------------------------------------------------------------------------


def lora(output: Path) -> None:
    """As peft saves: an adapter's weights and its configuration in every checkpoint, no model."""
    for folder in output.glob("checkpoint-*"):
        (folder / "config.json").unlink()
        (folder / "model.safetensors").unlink()
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "owner/model"}))
        save_file({"base_model.model.classifier.weight": torch.zeros(2)}, folder / "adapter_model.safetensors")


def lora_at_the_top(output: Path) -> None:
    for folder in output.glob("checkpoint-*"):
        shutil.rmtree(folder)
    (output / "adapter_config.json").write_text("{}")


def another_model(output: Path) -> None:
    config = RobertaConfig(
        vocab_size=90, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=2
    )
    RobertaForSequenceClassification(config).save_pretrained(output / "checkpoint-8")


DEEP = '{"log_history":' + "[" * 100_000 + "]" * 100_000 + "}"
WHOLE = "the weights of '{folder}/checkpoint-{step}' are not those of its config.json: the file "
REFUSED: dict[str, tuple[Change, str]] = {
    "an adapter": (lora, "'{folder}/checkpoint-4' holds an adapter, not a model: merge it first, with peft: "),
    "an adapter alone": (lora_at_the_top, "'{folder}' holds an adapter, not a model: merge it first, with peft: "),
    "several labels at once": (
        to_configs(problem_type="multi_label_classification"),
        "'{folder}/checkpoint-4/config.json': problem_type 'multi_label_classification' makes it a classifier of several labels "
        "at once; Wordtrace explains classifiers that choose one of at least two labels; train one on one label at a time: "
        "has it, or has it not",
    ),
    "no pooler": (
        to_weights(lambda w: {name: tensor for name, tensor in w.items() if "pooler" not in name}, "checkpoint-12"),
        WHOLE.replace("{step}", "12") + "lacks bert.pooler.dense.bias, bert.pooler.dense.weight; nothing is made up for them: "
        "save the whole model again with save_pretrained",
    ),
    "a layer missing on the way": (
        to_weights(lambda w: {name: tensor for name, tensor in w.items() if "layer.1." not in name}, "checkpoint-8"),
        WHOLE.replace("{step}", "8") + "lacks bert.encoder.layer.1.attention.output.LayerNorm.bias, ",
    ),
    "an unknown wrapper": (
        to_weights(lambda w: {f"teacher.{name}": tensor for name, tensor in w.items()}),
        WHOLE.replace("{step}", "4") + "lacks bert.embeddings.LayerNorm.bias, ",
    ),
    "another model among them": (
        another_model, "'{folder}/checkpoint-8' and '{folder}/checkpoint-12' are not of one run: their weights have other shapes"
    ),
    "outputs renamed in one place": (
        to_configs("checkpoint-12", id2label={"0": "pos", "1": "neg"}),
        "'{folder}/checkpoint-4' and '{folder}/checkpoint-12' name their outputs differently (neg, pos; pos, neg); mend id2label "
        "in their config.json",
    ),
    "no names": (
        to_configs(id2label={"0": "LABEL_0", "1": "LABEL_1"}),
        "'{folder}/checkpoint-12': the model's outputs have no names (LABEL_0, LABEL_1; the data: neg, pos); write the data's "
        'labels, in the order of the outputs, into "id2label" of the config.json of every checkpoint: {{"0": …, "1": …}}',
    ),
    "a log nested without end": (
        lambda output: (output / "checkpoint-8" / "trainer_state.json").write_text(DEEP),
        "'{folder}/checkpoint-8/trainer_state.json' is nested too deep to be read",
    ),
    "a log of no entries": (
        lambda output: (output / "checkpoint-8" / "trainer_state.json").write_text('{"log_history": [1]}'),
        "'{folder}/checkpoint-8/trainer_state.json' is not a Trainer's state: 'log_history'",
    ),
    "a log that is a list": (
        lambda output: (output / "checkpoint-8" / "trainer_state.json").write_text("[]"),
        "'{folder}/checkpoint-8/trainer_state.json' is not a Trainer's state",
    ),
    "a configuration nested without end": (
        lambda output: (output / "checkpoint-8" / "config.json").write_text(DEEP),
        "'{folder}/checkpoint-8/config.json' is nested too deep to be read",
    ),
    "a rate without end": (
        lambda output: (output / "checkpoint-4" / "trainer_state.json").write_text(
            '{"log_history": [{"step": 1, "learning_rate": 1e999}]}'
        ),
        "'{folder}/checkpoint-4/trainer_state.json' logs the learning rate inf at step 4; it must be 0 or more",
    ),
    "a step without end": (
        lambda output: (output / "checkpoint-4" / "trainer_state.json").write_text(
            '{"log_history": [{"step": 1e999, "learning_rate": 1}]}'
        ),
        "'{folder}/checkpoint-4/trainer_state.json' is not a Trainer's state: cannot convert float infinity to integer",
    ),
    "a billion layers": (
        to_configs("checkpoint-8", num_hidden_layers=10**9),
        "'{folder}/checkpoint-8/config.json': num_hidden_layers 1e+09 is out of any reason (at most 1,000); is it a model's "
        "configuration?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_cannot_be_used_is_one_line_and_leaves_nothing(
    output: Path, data: dict[str, str], tmp_path: Path, case: str
) -> None:
    change, message = REFUSED[case]
    change(output)
    with pytest.raises(ModelError) as caught:
        build_workspace(tmp_path / "w", request(data, training=None, checkpoints=str(output)))
    assert str(caught.value).startswith(message.format(folder=str(output)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("names", "labels", "message"),
    [
        (["a", "b"], [[1.0, 0.0], [1.0, 1.0]] * 16, "problem_type 'multi_label_classification' makes it a classifier of several"),
        (["score"], [0.5, 0.25] * 16, "problem_type 'regression' makes it a regression; Wordtrace explains classifiers"),
    ],
)
def test_runs_of_other_tasks_are_refused(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, names: list[str], labels: list[Any], message: str
) -> None:
    """As the Trainer itself records them in the configuration."""
    folder = tmp_path / "output"
    run_trainer(folder, tokenizer, classifier(tokenizer, names), labels=labels, num_train_epochs=1)
    with pytest.raises(ModelError) as caught:
        read_run(folder, LABELS)
    assert message in str(caught.value)


def test_numbers_are_no_places_among_the_outputs(output: Path) -> None:
    """Data that says 0 and 1 does not say which of neg and pos is meant; nor do outputs that nobody named."""
    with pytest.raises(ModelError, match=r"the model's labels are not the data's \(neg, pos; the data: 0, 1\)"):
        read_run(output, ["0", "1"])
    to_configs(id2label={"0": "LABEL_0", "1": "LABEL_1"})(output)
    with pytest.raises(ModelError, match=r"the model's outputs have no names \(LABEL_0, LABEL_1; the data: 0, 1\)"):
        read_run(output, ["0", "1"])
    to_configs(id2label={"0": "1", "1": "0"})(output)
    assert read_run(output, ["0", "1"]).labels == ["1", "0"]


@pytest.mark.slow
def test_swapped_labels_are_said_and_kept(output: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    """Data that the model is right on but for a tenth, and the same model with its outputs named the wrong way round."""
    texts = [text for _, text, _ in rows(80, seed=1)]
    model = AutoModelForSequenceClassification.from_pretrained(output / "checkpoint-12").eval()
    with torch.no_grad():
        found = torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in texts])
    even = (found[:, 1] - found[:, 0]).sort().values[41:43].mean()  # taken away, the model says either label for half of them
    to_weights(lambda w: {**w, "classifier.bias": w["classifier.bias"] + torch.tensor([even, 0.0])})(output)
    model = AutoModelForSequenceClassification.from_pretrained(output / "checkpoint-12").eval()
    files, share, majority = {}, 1.0, ""
    for split, seed in (("train", 1), ("test", 2)):
        table = rows(80, seed=seed, prefix=split)
        with torch.no_grad():
            said = [int(model(**tokenizer(text, return_tensors="pt")).logits.argmax()) for _, text, _ in table]
        labels = [LABELS[place ^ (number % 10 == 0)] for number, place in enumerate(said)]
        files[split] = write_csv(
            tmp_path / f"{split}.csv", [(id, text, label) for (id, text, _), label in zip(table, labels, strict=True)]
        )
        if split == "train":
            share, majority = max((labels.count(name) / len(labels), name) for name in LABELS)
    assert share < 0.85
    info = build_workspace(tmp_path / "right", request(files, training=None, checkpoints=str(output)))
    assert info.warnings == []
    to_configs(id2label={"0": "pos", "1": "neg"})(output)
    info = build_workspace(tmp_path / "swapped", request(files, training=None, checkpoints=str(output)))
    assert info.warnings == [
        "the labels look swapped: the model is right on 10.0% of the training file (with its pos read as neg, its neg read as "
        f"pos: on 90.0%), where always saying {majority} is on {share:.1%}; compare id2label in the model's config.json with "
        "what the file's labels mean"
    ]
    with opened(tmp_path / "swapped") as kept:
        assert kept.info.warnings == info.warnings
