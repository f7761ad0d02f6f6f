"""Training, resuming and importing: the same seed gives the same weights, however often it was interrupted."""

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import doubled, embedding_gradient, relative_error, rows_of, tracin
from tiny import bert, cnn, request, rows, word_pieces
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments

from influence.checkpoints.series import Checkpoint, CheckpointTrainer, read_checkpoints
from influence.errors import ModelError, SettingsError
from influence.explanations.explaining import all_scores
from influence.gradients.positions import GradientSettings, WordGradients
from influence.models.encoding import Encoding, encode
from influence.models.first_token import quicken
from influence.models.model import load_classifier, new_classifier
from influence.models.trainer import read_trainer_folder
from influence.models.training import TrainingSettings, default_settings, make_optimizer, shuffled_batches, train_epoch
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings
from influence.workspace.workspace import opened, read_workspace

LABELS = ["neg", "pos"]
EPOCHS = 3


def named(model: Any) -> Any:
    """The model with the data's labels as the names of its outputs."""
    model.config.id2label, model.config.label2id = dict(enumerate(LABELS)), {name: at for at, name in enumerate(LABELS)}
    return model


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return word_pieces()


@pytest.fixture(scope="module")
def examples(tokenizer: PreTrainedTokenizerFast) -> tuple[Encoding, np.ndarray]:
    made = rows(40, seed=11)
    encoding = encode(tokenizer, [text for _, text, _ in made], None, max_length=32)
    return encoding, np.array([LABELS.index(label) for _, _, label in made])


@pytest.fixture(scope="module", params=["cnn-sgd", "cnn-adamw", "bert-adamw"])
def trainer(
    request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., CheckpointTrainer]:
    """Makes trainers into a folder; BERT has dropout, so its weights depend on more than the order of the examples."""
    kind, optimizer = request.param.split("-")
    model = "cnn"
    if kind == "bert":
        model = str(tmp_path_factory.mktemp("bert"))
        named(bert(len(tokenizer), 2, seed=0)).save_pretrained(model)

    def make(folder: Path, *, seed: int = 0, **settings: Any) -> CheckpointTrainer:
        return CheckpointTrainer(
            folder=folder,
            model=model,
            num_hidden_layers=None,
            labels=LABELS,
            tokenizer=tokenizer,
            settings=TrainingSettings(
                epochs=EPOCHS, learning_rate=0.01, optimizer=optimizer, batch_size=8, seed=seed, **settings
            ),
            epochs=EPOCHS,
            device=torch.device("cpu"),
        )

    return make


def weights(folder: Path) -> list[dict[str, torch.Tensor]]:
    """The state dicts of every checkpoint."""
    return [load_classifier(str(folder / str(number))).state_dict() for number in range(EPOCHS)]


def same(first: list[dict[str, torch.Tensor]], second: list[dict[str, torch.Tensor]]) -> bool:
    """Bit for bit."""
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in zip(first, second, strict=True)
    )


def ignore(stage: str, done: int, total: int) -> None:
    """No progress shown."""


def test_the_same_seed_gives_the_same_weights(
    trainer: Callable[..., CheckpointTrainer], examples: tuple[Encoding, np.ndarray], tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("other", 1)):
        trainer(tmp_path / name, seed=seed).run(*examples, ignore)
        torch.rand(3)  # whatever else draws from the global generator must not matter
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "other"))
    checkpoints = read_checkpoints(tmp_path / "a")
    assert [(c.name, c.learning_rate) for c in checkpoints] == [(f"epoch {n}", 0.01) for n in (1, 2, 3)]
    assert [c.train_loss for c in checkpoints] == sorted((c.train_loss for c in checkpoints), reverse=True)  # it learns
    assert not list(tmp_path.rglob("optimizer.pt"))  # not left behind once the last epoch is done


class Interrupted(Exception):
    """Stands for a kill; see test_kill for real ones."""


@pytest.mark.parametrize(("epoch", "batch"), [(1, 1), (1, 5), (2, 3), (3, 1), (3, 5)])
def test_training_that_was_interrupted_ends_with_the_same_weights(
    trainer: Callable[..., CheckpointTrainer], examples: tuple[Encoding, np.ndarray], tmp_path: Path, epoch: int, batch: int
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == (f"train epoch {epoch}", batch):
            raise Interrupted

    with pytest.raises(Interrupted):
        trainer(tmp_path / "a").run(*examples, stop)
    assert len(read_checkpoints(tmp_path / "a")) == epoch - 1
    seen: list[str] = []
    trainer(tmp_path / "a").run(*examples, lambda stage, done, total: seen.append(stage))
    assert sorted(set(seen)) == [f"train epoch {n}" for n in range(epoch, EPOCHS + 1)]
    trainer(tmp_path / "b").run(*examples, ignore)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert read_checkpoints(tmp_path / "a") == read_checkpoints(tmp_path / "b")
    (tmp_path / "a" / "1" / "optimizer.pt").write_bytes(b"left by a kill between marking and tidying up")
    trainer(tmp_path / "a").run(*examples, stop)  # nothing to train, so nothing to stop
    assert not list(tmp_path.rglob("optimizer.pt"))


def test_a_frozen_embedding_stays_and_all_else_learns(
    trainer: Callable[..., CheckpointTrainer], examples: tuple[Encoding, np.ndarray], tmp_path: Path
) -> None:
    """Against the whole training with the embedding put back after every step, which is another way to the same weights."""
    made = trainer(tmp_path / "a", freeze_embedding=True, weight_decay=0.1)
    made.run(*examples, ignore)
    model = new_classifier(made.model, LABELS, seed=0, vocabulary=len(made.tokenizer), num_hidden_layers=None)
    model.config.pad_token_id = made.tokenizer.pad_token_id
    quicken(model, examples[0], made.tokenizer.pad_token_id)
    began = {name: weight.clone() for name, weight in model.state_dict().items()}
    words = model.get_input_embeddings().weight
    settings = replace(made.settings, freeze_embedding=False)
    optimizer = make_optimizer(model, settings)
    optimizer.register_step_post_hook(lambda *_: words.data.copy_(began[name_of(model, words)]))
    for epoch, found in enumerate(weights(tmp_path / "a"), start=1):
        train_epoch(model, optimizer, *examples, settings, epoch=epoch, pad_token=made.tokenizer.pad_token_id)
        for name, weight in model.state_dict().items():
            torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6)
        moved = {name for name in found if not torch.equal(found[name], began[name])}
        assert name_of(model, words) not in moved
        assert len(moved) > len(found) / 2


def name_of(model: torch.nn.Module, weight: torch.Tensor) -> str:
    return next(name for name, one in model.named_parameters() if one is weight)


def test_training_leaves_the_global_generators_alone(tokenizer: PreTrainedTokenizerFast, examples: Any) -> None:
    settings = TrainingSettings(epochs=1, learning_rate=0.01, optimizer="sgd", batch_size=8)
    model = bert(len(tokenizer), 2, seed=0)
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    train_epoch(model, make_optimizer(model, settings), *examples, settings, epoch=1, pad_token=0)
    assert torch.equal(torch.rand(4), expected)
    assert not model.training  # gradients are taken in eval mode


def test_a_quickened_model_learns_what_the_whole_one_does(tokenizer: PreTrainedTokenizerFast, examples: Any) -> None:
    """Two epochs with dropout, then the position gradients, with the last layer computed whole and for the first token."""
    settings = TrainingSettings(epochs=2, learning_rate=0.1, optimizer="sgd", batch_size=8)  # Adam would make noise of zeros
    whole, quick = (bert(len(tokenizer), 2, seed=0) for _ in range(2))
    quicken(quick, examples[0], 0)
    gradients = []
    for model in (whole, quick):
        optimizer = make_optimizer(model, settings)
        for epoch in (1, 2):
            train_epoch(model, optimizer, *examples, settings, epoch=epoch, pad_token=0)
        with WordGradients(model, GradientSettings(device=torch.device("cpu"))) as found:
            gradients.append(torch.cat([one.gradients_BLD.flatten() for one in found.batches(*examples)]))
    for name, weights in whole.state_dict().items():
        torch.testing.assert_close(quick.state_dict()[name], weights, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)
    with torch.no_grad():
        hidden = torch.rand(2, 5, 16)
        assert [model.bert.encoder.layer[-1](hidden).shape[1] for model in (whole, quick)] == [5, 1]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_every_example_is_in_one_batch_of_an_epoch(size: int) -> None:
    lengths = np.random.default_rng(0).integers(3, 40, size=1_000)
    settings = TrainingSettings(epochs=2, learning_rate=1.0, optimizer="sgd", batch_size=size, seed=3)
    first, second = ([b.tolist() for b in shuffled_batches(lengths, settings, epoch=epoch)] for epoch in (1, 2))
    assert sorted(n for batch in first for n in batch) == list(range(1_000))
    assert max(map(len, first)) == size
    assert first != second
    assert first == [b.tolist() for b in shuffled_batches(lengths, settings, epoch=1)]
    if size > 1:  # examples of like length are together, so that little is padded
        spread = np.mean([np.ptp(lengths[batch]) for batch in first])
        assert spread < 0.5 * np.ptp(lengths)


@pytest.mark.parametrize(("rate", "epochs"), [(1e10, 2), (float("1e30"), 1)])
def test_training_that_diverges_is_stopped_with_a_word_on_the_rate(
    data: dict[str, str], tmp_path: Path, rate: float, epochs: int
) -> None:
    """Also where the loss was a number until the very last step, and the checkpoint is not."""
    settings = TrainingSettings(epochs=epochs, learning_rate=rate, optimizer="sgd", batch_size=128 if epochs == 1 else 16)
    with pytest.raises(ModelError) as caught:
        build_workspace(tmp_path / "w", request(data, training=settings))
    assert str(caught.value) in (
        "training diverged in epoch 1 (loss nan); use a smaller --learning-rate than 10000000000.0",
        "the loss of this checkpoint is not a number: its training diverged; use a smaller --learning-rate",
    )
    assert not (tmp_path / "w" / "workspace.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "--epochs 0: must be 1 or more"),
        ({"batch_size": -1}, "--batch-size -1: must be 1 or more"),
        ({"learning_rate": 0.0}, "--learning-rate 0.0: must be a number above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate nan: must be a number above 0"),
        ({"learning_rate": float("inf")}, "--learning-rate inf: must be a number above 0"),
        ({"optimizer": "adam"}, "--optimizer adam: choose sgd or adamw"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
        ({"momentum": 1.0}, "--momentum 1.0: must be 0 or more and below 1"),
        ({"momentum": float("nan")}, "--momentum nan: must be 0 or more and below 1"),
        ({"weight_decay": -0.1}, "--weight-decay -0.1: must be 0 or more"),
        (
            {"weight_decay": 100.0},
            "--weight-decay 100.0: with a learning rate of 0.02 a single step would take all of every weight away; "
            "give less than 1 / learning rate",
        ),
        ({"optimizer": "adamw", "momentum": 0.5}, "--momentum 0.5: a setting of --optimizer sgd; adamw has none"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        training_settings("cnn", **change)
    assert str(caught.value) == message


def test_overrides_that_are_none_leave_the_default() -> None:
    expected = TrainingSettings(learning_rate=2e-2, optimizer="sgd", batch_size=32, seed=4)
    assert training_settings("cnn", epochs=None, seed=4) == expected
    assert default_settings("some/model").optimizer == "adamw"


# Importing a Trainer's output -----------------------------------------------------------------------------------------


class TextData(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Rows as the Trainer takes them."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, table: list[tuple[str, str, str]]) -> None:
        self.items = [
            {**tokenizer(text, padding="max_length", max_length=16, truncation=True), "labels": LABELS.index(label)}
            for _, text, label in table
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.items[index]


@pytest.fixture(scope="module")
def trained(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a real Trainer: three epochs, linear decay to 0, a checkpoint each, its tokenizer beside them."""
    folder = tmp_path_factory.mktemp("trainer") / "output"
    model = named(bert(len(tokenizer), 2, seed=0))
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=3,
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        save_strategy="epoch",
        logging_strategy="steps",
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Trainer's own
        Trainer(
            model=model, args=arguments, train_dataset=TextData(tokenizer, rows(80, seed=1)), processing_class=tokenizer
        ).train()
    return folder


@pytest.fixture
def output(trained: Path, tmp_path: Path) -> Path:
    """A copy, to be broken."""
    return Path(shutil.copytree(trained, tmp_path / "output"))


def test_a_trainer_folder_has_its_checkpoints_and_rates(trained: Path) -> None:
    """Linear decay from 1e-3 over 15 steps; the rate logged at a step is the one that follows it."""
    found = read_trainer_folder(trained)
    assert [(c.folder.name, c.step) for c in found] == [("checkpoint-5", 5), ("checkpoint-10", 10), ("checkpoint-15", 15)]
    rates = [c.learning_rate for c in found]
    assert rates == sorted(rates, reverse=True)
    for checkpoint in found:
        history = json.loads((checkpoint.folder / "trainer_state.json").read_text())["log_history"]
        logged = {entry["step"]: entry["learning_rate"] for entry in history if "learning_rate" in entry}
        assert checkpoint.learning_rate == logged[checkpoint.step]


def imported(data: dict[str, str], folder: Path, **changes: Any) -> Any:
    return request(data, training=None, checkpoints=str(folder), **changes)


def test_an_imported_run_is_indexed_with_its_own_rates(trained: Path, data: dict[str, str], tmp_path: Path) -> None:
    """Weights and rates are the Trainer's: scores equal dense autograd on its checkpoints, weighted by its log."""
    build_workspace(tmp_path / "w", imported(data, trained, top_k=60))
    opened = read_workspace(tmp_path / "w")
    useful = [c for c in read_trainer_folder(trained) if c.learning_rate > 0]
    assert [(c.name, c.learning_rate, c.train_loss) for c in opened.info.checkpoints] == [
        (c.folder.name, c.learning_rate, None) for c in useful
    ]
    expected = 0.0
    for number, checkpoint in enumerate(useful):
        model = load_classifier(str(checkpoint.folder))
        train = rows_of(opened.index.encoding, opened.index.labels_N)
        test = rows_of(opened.queries.encoding, opened.queries.labels_M)[:2]
        gradients = [[embedding_gradient(model, row) for row in split] for split in (train, test)]
        expected = expected + useful[number].learning_rate * tracin(*gradients)
    scores = np.stack([all_scores(opened, test_id=f"te{n}", method="tracin-we")["score"] for n in range(2)])
    assert relative_error(scores, np.asarray(expected)) < 1e-4
    opened.close()


def change_state(checkpoint: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = checkpoint / "trainer_state.json"
    state = json.loads(file.read_text())
    change(state)
    file.write_text(json.dumps(state))


def set_rate(rate: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        for entry in state["log_history"]:
            if "learning_rate" in entry:
                entry["learning_rate"] = rate

    return change


def end_at_rate_0(state: dict[str, Any]) -> None:
    """As older versions of the library log the end of a linear decay."""
    [entry for entry in state["log_history"] if "learning_rate" in entry][-1]["learning_rate"] = 0.0


def test_a_final_checkpoint_with_rate_0_is_the_model_and_adds_nothing(output: Path, data: dict[str, str], tmp_path: Path) -> None:
    """Predictions, representer and influence-last are its own; every TracIn sum is that of the checkpoints before."""
    change_state(output / "checkpoint-15", end_at_rate_0)
    info = build_workspace(tmp_path / "w", imported(data, output))
    assert info.warnings == [
        "checkpoint-15 has learning rate 0: as the last checkpoint it gives the predictions, influence-last and representer, "
        "and adds nothing to sums over checkpoints"
    ]
    assert [c.name for c in info.checkpoints] == ["checkpoint-5", "checkpoint-10", "checkpoint-15"]
    assert [c.learning_rate > 0 for c in info.checkpoints] == [True, True, False]
    assert info.model == str(output)
    assert info.settings["training"] is None
    shutil.rmtree(output / "checkpoint-15")
    build_workspace(tmp_path / "before", imported(data, output))
    with opened(tmp_path / "w") as whole, opened(tmp_path / "before") as before:
        for method in ("tracin-we-topk", "tracin-we", "tracin-last", "tracin-tfidf", "tracin-we-syn", "tracin-all"):
            scores = [all_scores(one, test_id="te3", method=method)["score"].to_numpy() for one in (whole, before)]
            assert np.abs(scores[0]).max() > 0
            np.testing.assert_array_equal(scores[0], scores[1])
        for method in ("representer", "influence-last"):
            scores = [all_scores(one, test_id="te3", method=method)["score"].to_numpy() for one in (whole, before)]
            assert not np.allclose(scores[0], scores[1])


def test_a_checkpoint_on_the_way_with_rate_0_is_left_out_and_said_so(output: Path, data: dict[str, str], tmp_path: Path) -> None:
    """A warm-up or a cosine with restarts passes 0 while it goes on."""
    for name in ("checkpoint-5", "checkpoint-10", "checkpoint-15"):
        change_state(output / name, lambda state: state["log_history"][4].update(learning_rate=0.0))
    info = build_workspace(tmp_path / "w", imported(data, output))
    assert info.warnings == ["checkpoint-5 was saved at learning rate 0, so it would add nothing to any score; left out"]
    assert [c.name for c in info.checkpoints] == ["checkpoint-10", "checkpoint-15"]


def test_of_a_long_run_a_few_checkpoints_are_chosen_and_all_predictions_kept(
    output: Path, data: dict[str, str], tmp_path: Path
) -> None:
    """With a final model at learning rate 0, which is the last whatever it adds to a sum."""
    change_state(output / "checkpoint-15", end_at_rate_0)
    info = build_workspace(tmp_path / "w", imported(data, output, max_checkpoints=2))
    assert [c.name for c in info.checkpoints] == ["checkpoint-5", "checkpoint-15"]
    assert [(e.name, e.checkpoint) for e in info.epochs] == [("checkpoint-5", 0), ("checkpoint-10", None), ("checkpoint-15", 1)]
    with opened(tmp_path / "w") as found:
        rows = rows_of(found.index.encoding, found.index.labels_N)
        for epoch, checkpoint in enumerate(sorted(output.glob("checkpoint-*"), key=lambda folder: int(folder.name[11:]))):
            model = doubled(load_classifier(str(checkpoint)))
            said = [model(input_ids=torch.tensor([row.tokens])).logits.softmax(dim=1)[0].tolist() for row in rows]
            np.testing.assert_allclose(found.probabilities("train", epoch), said, rtol=1e-4, atol=1e-6)


def refused(data: dict[str, str], output: Path, **changes: Any) -> str:
    """The one line, and nothing published."""
    path = output.parent / "w"
    with pytest.raises(ModelError) as caught:
        build_workspace(path, imported(data, output, **changes))
    assert not (path / "workspace.json").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def remove(pattern: str) -> Callable[[Path], None]:
    def change(output: Path) -> None:
        for file in output.rglob(pattern):
            shutil.rmtree(file) if file.is_dir() else file.unlink()

    return change


def to_every_state(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(output: Path) -> None:
        for checkpoint in output.glob("checkpoint-*"):
            change_state(checkpoint, change)

    return apply


def rename_labels(output: Path) -> None:
    for file in output.rglob("config.json"):
        config = json.loads(file.read_text())
        config["id2label"] = {"0": "good", "1": "bad"}
        file.write_text(json.dumps(config))


def old_format(output: Path) -> None:
    for checkpoint in output.glob("checkpoint-*"):
        (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no checkpoints": (
        remove("checkpoint-*"),
        "--checkpoints '{output}' holds no checkpoint-* folders; "
        "give the Trainer's output_dir and train with save_strategy='epoch'",
    ),
    "no folder": (lambda output: shutil.rmtree(output), "--checkpoints '{output}': there is no such folder"),
    "no state": (
        remove("trainer_state.json"),
        "'{output}/checkpoint-5' has no trainer_state.json, so its learning rate is not known",
    ),
    "no log": (
        to_every_state(lambda state: state.update(log_history=[])),
        "'{output}/checkpoint-5/trainer_state.json' logs no learning rate up to step 5; "
        "train with logging_steps smaller than an epoch",
    ),
    "state is no state": (
        to_every_state(lambda state: state.pop("log_history")),
        "'{output}/checkpoint-5/trainer_state.json' is not a Trainer's state: 'log_history'",
    ),
    "rate is no number": (
        to_every_state(set_rate("fast")),
        "'{output}/checkpoint-5/trainer_state.json' is not a Trainer's state: could not convert string to float: 'fast'",
    ),
    "rate is negative": (
        to_every_state(set_rate(-1.0)),
        "'{output}/checkpoint-5/trainer_state.json' logs the learning rate -1.0 at step 5; it must be 0 or more",
    ),
    "every rate 0": (
        to_every_state(set_rate(0)),
        "--checkpoints '{output}': every checkpoint has learning rate 0, so every score would be 0; "
        "train with save_strategy='epoch' and a schedule that does not end at 0",
    ),
    "no safetensors": (
        old_format,
        "'{output}/checkpoint-5' holds no safetensors weights (found: optimizer.pt, pytorch_model.bin, scheduler.pt, "
        "training_args.bin); save the model again with save_pretrained, which writes model.safetensors",
    ),
    "no tokenizer": (
        remove("tokenizer*"),
        "'{output}/checkpoint-15' holds no tokenizer; pass it to the Trainer as processing_class, "
        "or name its folder with --model",
    ),
    "other labels": (
        rename_labels,
        "'{output}/checkpoint-15': the model's labels are not the data's (good, bad; the data: neg, pos); write the data's "
        'labels, in the order of the outputs, into "id2label" of the config.json of every checkpoint: {{"0": …, "1": …}}',
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_trainer_folder_that_cannot_be_used_is_refused(output: Path, data: dict[str, str], case: str) -> None:
    change, message = BROKEN[case]
    change(output)
    found = refused(data, output)
    if case == "no safetensors":
        assert found.startswith(f"'{output}/checkpoint-5' holds no safetensors weights (found: ")
        assert "pytorch_model.bin" in found
    else:
        assert found == message.format(output=output)


def test_the_tokenizer_may_come_from_the_model_folder(output: Path, data: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    for file in (output / "checkpoint-5").glob("tokenizer*"):
        shutil.copy(file, tmp_path / "base")
    remove("tokenizer*")(output)
    info = build_workspace(tmp_path / "w", imported(data, output, model=str(tmp_path / "base")))
    assert info.accuracy >= 0


def test_labels_follow_the_order_of_the_models_outputs(output: Path, data: dict[str, str], tmp_path: Path) -> None:
    """Output 0 is `pos` here, although `neg` sorts first: the workspace says so, and its accuracy is the model's."""
    accuracies = []
    for names in ({"0": "neg", "1": "pos"}, {"0": "pos", "1": "neg"}):
        for file in output.rglob("config.json"):
            file.write_text(json.dumps({**json.loads(file.read_text()), "id2label": names}))
        info = build_workspace(tmp_path / names["0"], imported(data, output))
        assert info.labels == list(names.values())
        accuracies.append(info.accuracy)
    assert accuracies[1] == pytest.approx(1 - accuracies[0])


# Model folders --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A model folder as save_pretrained writes it."""
    path = tmp_path / "model"
    bert(len(tokenizer), 2, seed=0).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def build_from(data: dict[str, str], folder: Path | str, *, pairs: bool = False, **changes: Any) -> Any:
    settings = TrainingSettings(epochs=1, learning_rate=1e-3, optimizer="adamw", batch_size=16)
    target = Path(data["train"]).parent / f"w-{Path(folder).parent.name}-{len(changes)}-{pairs}"
    return build_workspace(target, request(data, pairs=pairs, model=str(folder), training=settings, **changes))


def test_a_model_folder_can_be_cut_to_its_first_layers(data: dict[str, str], folder: Path) -> None:
    info = build_from(data, folder, num_hidden_layers=1)
    assert info.settings["num_hidden_layers"] == 1
    for layers, message in ((3, "has 2 layers; choose 1 to 2"), (0, "has 2 layers; choose 1 to 2")):
        with pytest.raises(SettingsError) as caught:
            build_from(data, folder, num_hidden_layers=layers)
        assert str(caught.value) == f"--num-hidden-layers {layers}: {str(folder)!r} {message}"
    with pytest.raises(SettingsError) as caught:
        build_from(data, "cnn", num_hidden_layers=1)
    assert str(caught.value) == "--num-hidden-layers cuts a transformer; the CNN always has three convolutions"


def test_texts_longer_than_the_model_are_cut_and_said_so(data: dict[str, str], folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    model = load_classifier(str(folder))
    model.bert.embeddings.position_embeddings.weight = torch.nn.Parameter(
        model.bert.embeddings.position_embeddings.weight[:6].clone()
    )
    model.config.max_position_embeddings = 6
    model.save_pretrained(folder)
    assert config["max_position_embeddings"] == 64
    info = build_from(data, folder)
    assert info.warnings[1].endswith("train texts were cut at 6 tokens (the model takes no more)")
    info = build_from(data, folder, max_length=5)
    assert info.warnings[1].endswith("train texts were cut at 5 tokens (--max-length)")


def without_pairs(folder: Path) -> None:
    """A tokenizer that runs two texts into one."""
    words = sorted({word for _, text, _ in rows(80, seed=1) for word in text.split()})
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["[PAD]", "[UNK]", *words])}, "[UNK]"))
    made.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)


def small_model(folder: Path) -> None:
    cnn(20, 2, seed=0).save_pretrained(folder)


def spoil(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


UNFIT: dict[str, tuple[Callable[[Path], None], bool, str]] = {
    "no folder": (lambda folder: shutil.rmtree(folder), False, "'{folder}': there is no such model folder"),
    "no tokenizer": (
        remove("tokenizer*"),
        False,
        "'{folder}' has no tokenizer files; save the tokenizer into the same folder as the model",
    ),
    "no config": (remove("config.json"), False, "'{folder}' is not a model folder: it has no config.json"),
    "no weights": (
        remove("model.safetensors"),
        False,
        "'{folder}' holds no safetensors weights (found: no weights at all); "
        "save the model again with save_pretrained, which writes model.safetensors",
    ),
    "pickled weights": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin") and None,
        False,
        "'{folder}' holds no safetensors weights (found: pytorch_model.bin); "
        "save the model again with save_pretrained, which writes model.safetensors",
    ),
    "garbled weights": (
        spoil("model.safetensors", b"\xff" * 64),
        False,
        "the model '{folder}' cannot be loaded: Error while deserializing header: header too large",
    ),
    "single texts only": (
        without_pairs,
        True,
        "--text-pair 'hypothesis': the tokenizer of '{folder}' takes single texts only; "
        "leave --text-pair out or use a model for text pairs",
    ),
    "another's tokenizer": (
        small_model,
        False,
        "the tokenizer makes token 102, the model has only 20 word embeddings: they do not belong together",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_model_folder_that_cannot_be_used_is_refused(data: dict[str, str], folder: Path, case: str) -> None:
    change, pairs, message = UNFIT[case]
    change(folder)
    with pytest.raises(ModelError) as caught:
        build_from(data, folder, pairs=pairs)
    expected = message.format(folder=folder)
    if case == "another's tokenizer":
        assert str(caught.value).endswith("the model has only 20 word embeddings: they do not belong together")
    else:
        assert str(caught.value) == expected


def test_a_models_own_code_is_never_run(data: dict[str, str], folder: Path, tmp_path: Path) -> None:
    """A folder that asks for its own Python is refused, and the Python does not run."""
    config = json.loads((folder / "config.json").read_text())
    config.update(model_type="custom", auto_map={"AutoConfig": "evil.Config", "AutoModelForSequenceClassification": "evil.Model"})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    with pytest.raises(ModelError):
        build_from(data, folder)
    assert not (tmp_path / "ran").exists()


def test_a_hub_model_without_a_network_is_one_line(data: dict[str, str]) -> None:
    with pytest.raises(ModelError) as caught:
        build_from(data, "owner/model")
    assert str(caught.value).startswith("the model 'owner/model' cannot be loaded: ")
    assert "\n" not in str(caught.value)


def test_checkpoints_are_read_up_to_the_first_unfinished_one(tmp_path: Path) -> None:
    for number in (0, 1, 3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "done.json").write_text(json.dumps(Checkpoint(f"epoch {number}", 0.1, 0.5)._asdict()))
    (tmp_path / "2").mkdir()
    assert read_checkpoints(tmp_path) == [Checkpoint("epoch 0", 0.1, 0.5), Checkpoint("epoch 1", 0.1, 0.5)]
