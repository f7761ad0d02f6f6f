"""Checkpoints as a build keeps them: every weight as it was trained, whatever is kept of it, and nothing beside."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import MODELS, bert, cnn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from influence.checkpoints import kept
from influence.checkpoints.differences import DIFFERENCES
from influence.checkpoints.kept import keep, load_checkpoint, load_checkpoints, weights
from influence.checkpoints.series import Checkpoint, checkpoint_folder, read_checkpoints
from influence.errors import ModelError, WorkspaceDamaged
from influence.files import file_sizes
from influence.sealed import finish

CHOSEN = [0, 2, 3, 5]


def trained(kind: str, epochs: int = 6) -> list[PreTrainedModel]:
    """Models as training would leave them: each a little away from the one before, some weights never moved."""
    model, generator = MODELS[kind](40, 3, seed=0), torch.Generator().manual_seed(1)
    found = []
    for _ in range(epochs):
        model = type(model)(model.config)
        if found:
            model.load_state_dict(found[-1].state_dict())
        with torch.no_grad():
            for number, parameter in enumerate(model.parameters()):
                if number % 3:
                    parameter += 1e-3 * torch.randn(parameter.shape, generator=generator)
        found.append(model.eval())
    return found


def run_of(folder: Path, models: list[PreTrainedModel]) -> Path:
    """The folder of a run with these checkpoints."""
    for number, model in enumerate(models):
        place = checkpoint_folder(folder, number)
        model.save_pretrained(place)
        (place / "adam.safetensors").write_bytes(bytes([number]) * 9)
        finish(place, Checkpoint(f"epoch {number + 1}", 0.1 * (number + 1), 1.0)._asdict())
    return folder


def check_equal(found: PreTrainedModel, expected: PreTrainedModel) -> None:
    """Bit for bit."""
    assert found.config.id2label == expected.config.id2label
    state, wanted = found.state_dict(), expected.state_dict()
    assert state.keys() == wanted.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(tensor.numpy().view(np.uint8), wanted[name].numpy().view(np.uint8), err_msg=name)


@pytest.fixture(params=sorted(MODELS))
def models(request: pytest.FixtureRequest) -> list[PreTrainedModel]:
    return trained(request.param)


def test_what_is_loaded_is_what_was_trained(tmp_path: Path, models: list[PreTrainedModel]) -> None:
    run, folder = run_of(tmp_path / "run", models), tmp_path / "checkpoints"
    keep(run, folder, CHOSEN)
    assert not run.exists()
    assert [c.name for c in read_checkpoints(folder)] == ["epoch 1", "epoch 3", "epoch 4", "epoch 6"]
    assert [c.learning_rate for c in read_checkpoints(folder)] == pytest.approx([0.1, 0.3, 0.4, 0.6])
    expected = [models[epoch] for epoch in CHOSEN]
    for number, model in enumerate(expected):
        check_equal(load_checkpoint(folder, number), model)
    for found, model in zip(load_checkpoints(folder, 4), expected, strict=True):
        check_equal(found, model)
    check_equal(AutoModelForSequenceClassification.from_pretrained(folder / "3"), models[5])  # as anybody loads it
    for number in range(3):
        names = {file.name for file in checkpoint_folder(folder, number).iterdir()}
        assert names == {"config.json", "done.json", "hashes.json", "adam.safetensors", DIFFERENCES}
        assert (folder / str(number) / "adam.safetensors").read_bytes() == bytes([CHOSEN[number]]) * 9
        assert (folder / str(number) / DIFFERENCES).stat().st_size < (folder / "3" / "model.safetensors").stat().st_size


def test_differences_are_read_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for every checkpoint that lies before."""
    keep(run_of(tmp_path / "run", trained("cnn")), tmp_path / "checkpoints", list(range(6)))
    read, calls = kept.read_differences, []
    monkeypatch.setattr(kept, "read_differences", lambda *of: calls.append(of[0].name) or read(*of))
    load_checkpoints(tmp_path / "checkpoints", 6)
    assert calls == ["4", "3", "2", "1", "0"]


def test_models_of_other_shapes_are_kept_whole(tmp_path: Path) -> None:
    """A run whose vocabulary grew, say: nothing can be subtracted, and what follows counts from the next."""
    models = [cnn(30, 3, seed=0), cnn(30, 3, seed=1), cnn(31, 3, seed=2), bert(30, 3, seed=3), bert(30, 3, seed=4)]
    keep(run_of(tmp_path / "run", models), tmp_path / "checkpoints", [0, 1, 2, 3, 4])
    there = [(tmp_path / "checkpoints" / str(number) / DIFFERENCES).is_file() for number in range(5)]
    assert there == [True, False, False, True, False]
    for number, found in enumerate(load_checkpoints(tmp_path / "checkpoints", 5)):
        check_equal(found, models[number])
        check_equal(load_checkpoint(tmp_path / "checkpoints", number), models[number])


def test_half_precision_is_kept_to_the_bit(tmp_path: Path) -> None:
    models = [model.to(torch.bfloat16) for model in trained("cnn", 2)]
    keep(run_of(tmp_path / "run", models), tmp_path / "checkpoints", [0, 1])
    for name, tensor in weights(tmp_path / "checkpoints", 0).items():
        assert tensor.dtype == torch.bfloat16
        assert torch.equal(tensor.view(torch.int16), models[0].state_dict()[name].view(torch.int16))


def test_whole_folders_load_as_ever(tmp_path: Path) -> None:
    """Those of a build from before there were differences."""
    models = trained("cnn", 3)
    run = run_of(tmp_path / "run", models)
    for number, found in enumerate(load_checkpoints(run, 3)):
        check_equal(found, models[number])
        check_equal(load_checkpoint(run, number), models[number])


class Killed(BaseException):
    """What no handler of errors sees, as it sees no kill."""


STEPS = [*[("_keep_one", n) for n in range(4)], *[(name, n) for name in ("write_differences", "finish") for n in range(3)]]


@pytest.mark.parametrize("half", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("step", "time"), [*STEPS, ("shutil.rmtree", 0)])
def test_begun_again_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, time: int, half: bool) -> None:
    """Interrupted before and after each of its steps."""
    models = trained("cnn")
    keep(run_of(tmp_path / "first", models), tmp_path / "whole", CHOSEN)
    run, folder = run_of(tmp_path / "run", models), tmp_path / "checkpoints"
    owner, name = (shutil, "rmtree") if step == "shutil.rmtree" else (kept, step)
    real, calls = getattr(owner, name), 0

    def interrupted(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == time + 1:
            if half:
                real(*arguments, **named)
            raise Killed
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(Killed):
            keep(run, folder, CHOSEN)
    keep(run, folder, CHOSEN)
    files = {name: (tmp_path / "whole" / name).read_bytes() for name in file_sizes(tmp_path / "whole")}
    assert {name: (folder / name).read_bytes() for name in file_sizes(folder)} == files
    assert not run.exists()


def test_a_half_written_difference_is_written_again(tmp_path: Path) -> None:
    run, folder = run_of(tmp_path / "run", models := trained("cnn")), tmp_path / "checkpoints"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / DIFFERENCES).write_bytes(b"\x08")
    keep(run, folder, [0, 5])
    check_equal(load_checkpoint(folder, 0), models[0])


def test_damage_is_told(tmp_path: Path) -> None:
    keep(run_of(tmp_path / "run", trained("cnn", 2)), tmp_path / "checkpoints", [0, 1])
    for name in (f"0/{DIFFERENCES}", "1/model.safetensors"):
        file = tmp_path / "checkpoints" / name
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)
        with pytest.raises(WorkspaceDamaged, match=file.name):
            load_checkpoint(tmp_path / "checkpoints", 0)
        content[-3] ^= 1
        file.write_bytes(content)
    load_checkpoint(tmp_path / "checkpoints", 0)


def test_a_workspace_that_says_anything_else_is_refused(tmp_path: Path) -> None:
    """Files that seal themselves rightly and still make no sense: they may come from anybody."""
    folder = tmp_path / "checkpoints"
    keep(run_of(tmp_path / "run", trained("cnn", 2)), folder, [0, 1])
    with pytest.raises(ModelError, match="there is no such checkpoint"):
        load_checkpoint(folder, 2)
    config = json.loads((folder / "0" / "config.json").read_text())
    (folder / "0" / "hashes.json").unlink()
    (folder / "0" / "config.json").write_text(json.dumps({**config, "vocab_size": 41_000_000}))
    with pytest.raises(ModelError, match="not those of its config"):
        load_checkpoint(folder, 0)
    (folder / "0" / "config.json").write_text(json.dumps(config))
    (folder / "1" / "model.safetensors").unlink()  # what it counts from
    (folder / "1" / "hashes.json").unlink()
    with pytest.raises(ModelError, match="no safetensors weights"):
        load_checkpoint(folder, 0)
    shutil.copy(folder / "0" / DIFFERENCES, folder / "1" / DIFFERENCES)  # and so on for ever
    with pytest.raises(ModelError, match="there is no such checkpoint"):
        load_checkpoint(folder, 0)


def test_the_last_is_found_by_its_file(tmp_path: Path) -> None:
    models = trained("cnn", 2)
    keep(run_of(tmp_path / "run", models), tmp_path / "checkpoints", [1])
    assert load_file(tmp_path / "checkpoints" / "0" / "model.safetensors").keys() <= models[1].state_dict().keys()
