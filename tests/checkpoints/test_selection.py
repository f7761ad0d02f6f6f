"""Builds of more checkpoints than scores are summed over: which these are, what is kept of all, and that nothing else changes."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from contents import TABLES, build_folder, check_same, content, edit_pointer, reseal
from oracles import by_token, kept_positions, position_gradients, relative_error, rows_of, tracin
from tiny import request

from influence import Workspace, all_scores, explain, open_workspace
from influence.checkpoints import choose, load_checkpoint
from influence.checkpoints.selection import Selection
from influence.errors import SettingsError, WorkspaceError
from influence.fixes.rebuild import same_request
from influence.opinions import Material, OpinionSettings, gather
from influence.opinions.opinion import Taught
from influence.types import Stage, StageKind, silent
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.result_tables import m001_initial
from influence.workspace.workspace import opened

EPOCHS = 6


def wanted(data: dict[str, str], most: int, **changes: Any) -> BuildRequest:
    training = training_settings("cnn", epochs=EPOCHS, learning_rate=0.1, batch_size=16)
    return request(data, training=training, max_checkpoints=most, **changes)


@pytest.fixture(scope="module")
def built(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Workspace]]:
    """The same run with all its checkpoints in the index, with three, two and one."""
    folder = tmp_path_factory.mktemp("selection")
    with ExitStack() as stack:
        for most in (EPOCHS, 3, 2, 1):
            build_workspace(folder / str(most), wanted(data, most))
        found = {most: open_workspace(folder / str(most)) for most in (EPOCHS, 3, 2, 1)}
        for one in found.values():
            stack.callback(one.close)
        yield found


def chosen(workspace: Workspace) -> list[int]:
    return [place for place, epoch in enumerate(workspace.info.epochs) if epoch.checkpoint is not None]


def test_the_chosen_are_spread_over_the_fall_of_the_loss_of_the_checkpoints_themselves(built: dict[int, Workspace]) -> None:
    """Their mean cross-entropy on the training split, from their own weights by plain PyTorch."""
    whole = built[EPOCHS]
    encoding, labels_N = whole.index.encoding, torch.tensor(whole.index.labels_N.tolist())
    losses = []
    for number in range(EPOCHS):
        model = load_checkpoint(whole.build / "checkpoints", number)
        with torch.no_grad():
            said = [model(input_ids=torch.tensor([row.tokens])).logits for row in rows_of(encoding, labels_N.tolist())]
        losses.append(float(F.cross_entropy(torch.cat(said), labels_N)))
    assert losses[-1] < losses[0]
    for most in (3, 2, 1):
        assert chosen(built[most]) == choose(losses, [0.1] * EPOCHS, most)
        assert [c.name for c in built[most].info.checkpoints] == [f"epoch {place + 1}" for place in chosen(built[most])]
        stored = built[most].store.rows(
            "select checkpoint, avg(loss) from predictions where split = 'train' group by all order by all"
        )
        assert [place for place, _ in stored] == list(range(EPOCHS))
        assert [loss for _, loss in stored] == pytest.approx(losses, rel=1e-5)


def test_weights_are_those_of_the_run(built: dict[int, Workspace]) -> None:
    for most in (3, 2, 1):
        for number, place in enumerate(chosen(built[most])):
            kept = load_checkpoint(built[most].build / "checkpoints", number).state_dict()
            run = load_checkpoint(built[EPOCHS].build / "checkpoints", place).state_dict()
            assert all(torch.equal(tensor.view(torch.uint8), run[name].view(torch.uint8)) for name, tensor in kept.items())
        folders = {file.name for file in (built[most].build / "checkpoints").iterdir()}
        assert folders == {"tokenizer", "epochs.json", *map(str, range(most))}
        assert not (built[most].build / "run").exists()


@pytest.mark.parametrize("split", ["train", "test"])
def test_predictions_of_every_epoch_are_kept(built: dict[int, Workspace], split: str) -> None:
    for most in (3, 2, 1):
        for epoch in range(EPOCHS):
            found, wanted_NY = (one.probabilities(split, epoch) for one in (built[most], built[EPOCHS]))
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, wanted_NY, rtol=1e-5)
        kept = {int(folder.name) for folder in (built[most].build / "predictions" / split).iterdir()}
        assert kept == set(range(EPOCHS)) - set(chosen(built[most]))
        np.testing.assert_array_equal(built[most].probabilities(split), built[most].probabilities(split, EPOCHS - 1))
    frames = [
        one.store.frame("select * exclude (probabilities, confidence, loss) from predictions order by all")
        for one in (built[2], built[EPOCHS])
    ]
    assert frames[0].equals(frames[1])


def test_what_is_known_of_every_epoch_is_the_same(built: dict[int, Workspace]) -> None:
    for most in (3, 2, 1):
        info, whole = built[most].info, built[EPOCHS].info
        assert [replace(epoch, checkpoint=None, test_loss=0) for epoch in info.epochs] == [
            replace(epoch, checkpoint=None, test_loss=0) for epoch in whole.epochs
        ]
        assert [epoch.test_loss for epoch in info.epochs] == pytest.approx([epoch.test_loss for epoch in whole.epochs], rel=1e-5)
        assert info.checkpoints == [info.epochs[place].as_checkpoint for place in chosen(built[most])]
        assert info.settings["training"]["epochs"] == EPOCHS
        assert info.settings["max_checkpoints"] == most
        rows = built[most].store.rows("select checkpoint, name, indexed from checkpoints order by all")
        assert rows == [(place, epoch.name, epoch.checkpoint) for place, epoch in enumerate(info.epochs)]
        assert built[most].confusion().equals(built[EPOCHS].confusion())


def test_scores_equal_dense_autograd_of_the_two_that_were_chosen(built: dict[int, Workspace]) -> None:
    """The run's own weights (of the build that has them all), float64, dense matrices."""
    scores, two = 0.0, built[2]
    for place in chosen(two):
        model = load_checkpoint(built[EPOCHS].build / "checkpoints", place)
        sides = []
        for queries in (two.index, two.queries):
            labels = queries.labels_N if queries is two.index else queries.labels_M
            gradients = []
            for row in rows_of(queries.encoding, labels):
                gradients_LD = position_gradients(model, row)
                kept = kept_positions(gradients_LD, two.info.top_k)
                gradients.append(by_token(gradients_LD, row.tokens, kept, len(model.get_input_embeddings().weight)))
            sides.append(gradients)
        scores = scores + 0.1 * tracin(*sides)
    found = np.stack([all_scores(two, test_id=f"te{n}")["score"] for n in range(16)])
    assert relative_error(found, np.asarray(scores)) < 1e-4
    whole = np.stack([all_scores(built[EPOCHS], test_id=f"te{n}")["score"] for n in range(16)])
    assert relative_error(found, whole) > 0.01  # it is not that all the epochs say the same


def test_opinions_go_by_all_epochs(built: dict[int, Workspace]) -> None:
    """What training dynamics say of the labels does not hang on how many checkpoints the index has."""
    found = {}
    for most, workspace in built.items():
        material = Material(workspace, OpinionSettings(encoder="none"), "cpu", silent)
        found[most] = gather(material, Taught.as_given(material.labels("train")))
    for most in (3, 2, 1):
        for name in ("missed_N", "trained_N"):
            np.testing.assert_array_equal(getattr(found[most], name), getattr(found[EPOCHS], name))
        np.testing.assert_allclose(found[most].margin_N, found[EPOCHS].margin_N, rtol=1e-4, atol=1e-5)
        for one, other in zip(found[most].opinions, found[EPOCHS].opinions, strict=True):
            assert one.name == other.name
            np.testing.assert_allclose(one.probabilities_NY, other.probabilities_NY, rtol=1e-4, atol=1e-6)
    assert set(found[1].trained_N.tolist()) == {EPOCHS}


def test_a_workspace_that_knows_of_no_epochs_has_those_of_its_checkpoints(workspace: Path, tmp_path: Path) -> None:
    """Built before the two were told apart, with whole folders and results of the first version."""
    path = Path(shutil.copytree(workspace, tmp_path / "old"))
    edit_pointer(path, lambda pointer: (pointer["info"].pop("epochs"), pointer["info"]["settings"].pop("max_checkpoints")))
    with opened(path) as old, opened(workspace) as new:
        assert old.info.epochs == new.info.epochs
        assert [epoch.checkpoint for epoch in old.info.epochs] == [0, 1, 2]
        np.testing.assert_array_equal(old.probabilities("train", 1), new.probabilities("train", 1))
        assert same_request(old, tmp_path, {}).max_checkpoints == 3
        assert same_request(new, tmp_path, {}).max_checkpoints == 4


def test_a_build_from_before_there_were_differences_answers_as_ever(workspace: Path, tmp_path: Path) -> None:
    """Whole folders, results of the first version (scores in double precision, nothing about epochs)."""
    path = Path(shutil.copytree(workspace, tmp_path / "old"))
    build = build_folder(path)
    for number in range(2):
        model = load_checkpoint(build / "checkpoints", number)
        (build / "checkpoints" / str(number) / "differences.safetensors").unlink()
        model.save_pretrained(tmp_path / str(number))
        shutil.copy(tmp_path / str(number) / "model.safetensors", build / "checkpoints" / str(number))
    (build / "checkpoints" / "epochs.json").unlink()
    (build / "results.duckdb").rename(tmp_path / "new.duckdb")
    with duckdb.connect(str(build / "results.duckdb")) as connection:
        m001_initial(connection)
        connection.execute("create table schema_versions (version integer); insert into schema_versions values (1)")
        connection.execute(f"attach '{tmp_path / 'new.duckdb'}' as new (read_only)")
        for table in TABLES:
            left = " exclude (indexed)" if table == "checkpoints" else ""
            connection.execute(f"insert into {table} by name select *{left} from new.{table}")
    edit_pointer(path, lambda pointer: (pointer["info"].pop("epochs"), pointer["info"]["settings"].pop("max_checkpoints")))
    reseal(path)
    with opened(path) as old, opened(workspace) as new:
        for test in ("te0", "te7"):
            for method in ("tracin-we-topk", "tracin-we-syn"):  # stored, and made with the checkpoints' embeddings
                assert explain(old, test_id=test, method=method) == explain(new, test_id=test, method=method)
        assert explain(old, text="a good film") == explain(new, text="a good film")
        assert old.confusion().equals(new.confusion())
        np.testing.assert_array_equal(old.probabilities("train", 0), new.probabilities("train", 0))
        assert old.store.version == 1


@pytest.mark.parametrize(
    "epochs", [[0, 1], [0, 2, 1], [0, 1, 2, 3], [0, 1, 1], [0, 1, 2, None], [None, None, None], [-1, 0, 1], [0, 1, "2"]]
)
def test_epochs_that_are_not_those_of_the_checkpoints_are_refused(workspace: Path, tmp_path: Path, epochs: list[Any]) -> None:
    path = Path(shutil.copytree(workspace, tmp_path / "w"))

    def change(pointer: dict[str, Any]) -> None:
        one = pointer["info"]["epochs"][0]
        pointer["info"]["epochs"] = [{**one, "checkpoint": number} for number in epochs]

    edit_pointer(path, change)
    with pytest.raises(WorkspaceError, match="is damaged"):
        open_workspace(path)


def test_at_least_one(data: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^--max-checkpoints 0: must be 1 or more"):
        wanted(data, 0)


class Stopped(Exception):
    """An interruption that the build does not expect."""


@pytest.mark.parametrize(
    "stop", [*[(StageKind.PREDICT, n, s) for n in (1, 4, 6) for s in ("train", "test")], (StageKind.KEEP, 0, "")]
)
def test_an_interrupted_build_ends_the_same(
    data: dict[str, str], built: dict[int, Workspace], tmp_path: Path, stop: tuple[str, int, str]
) -> None:
    kind, number, examples = stop

    def progress(stage: str, done: int, total: int) -> None:
        found = Stage.of(stage)
        if (found.kind, found.number, found.examples) == (kind, number, examples) and done >= min(total, 2):
            raise Stopped

    with pytest.raises(Stopped):
        build_workspace(tmp_path / "w", wanted(data, 3), progress=progress)
    build_workspace(tmp_path / "w", wanted(data, 3), resume=True)
    uninterrupted = shutil.copytree(built[3].path, tmp_path / "uninterrupted")
    check_same(content(tmp_path / "w"), content(uninterrupted))


def test_stopped_between_choosing_and_keeping(
    data: dict[str, str], built: dict[int, Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr("influence.checkpoints.selection.keep", stop)
        with pytest.raises(Stopped):
            build_workspace(tmp_path / "w", wanted(data, 3))
    monkeypatch.setattr(Selection, "_choose", stop)  # what was chosen once stays chosen
    build_workspace(tmp_path / "w", wanted(data, 3), resume=True)
    uninterrupted = shutil.copytree(built[3].path, tmp_path / "uninterrupted")
    check_same(content(tmp_path / "w"), content(uninterrupted))


def test_another_number_is_another_build(data: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        build_workspace(tmp_path / "w", wanted(data, 3), progress=_stop_at_gradients)
    with pytest.raises(SettingsError, match="--resume"):
        build_workspace(tmp_path / "w", wanted(data, 2), resume=True)


def _stop_at_gradients(stage: str, done: int, total: int) -> None:
    if stage.startswith("gradients"):
        raise Stopped


def test_what_is_written_of_the_choice(built: dict[int, Workspace]) -> None:
    file = build_folder(built[2].path) / "checkpoints" / "epochs.json"
    assert json.loads(file.read_text()) == [
        {name: value for name, value in asdict(epoch).items() if name in ("name", "learning_rate", "train_loss", "checkpoint")}
        for epoch in built[2].info.epochs
    ]
