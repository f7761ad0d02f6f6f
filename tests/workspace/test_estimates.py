"""The estimate of a build: measured by a small build, scaled by what each stage grows with."""

import time

import pytest
from tiny import request, rows, write_csv

from influence.clusters.compute import write_clusters
from influence.data.dataset import Columns, read_dataset
from influence.errors import DataError, SettingsError
from influence.suspects.compute import write_suspects
from influence.timing import Clock, StageTime
from influence.types import Stage
from influence.workspace import estimates
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings
from influence.workspace.estimates import estimate_build
from influence.workspace.manage import disk_use
from influence.workspace.workspace import read_workspace


@pytest.fixture
def files(tmp_path):
    return {
        split: write_csv(tmp_path / f"{split}.csv", rows(n, seed=n, prefix=split)) for split, n in (("train", 900), ("test", 120))
    }


def read(files):
    return [read_dataset(files[split], Columns(id="id"), split=split) for split in ("train", "test")]


def ranked(path, progress):
    write_suspects(path, progress=progress)
    write_clusters(path, progress=progress)


@pytest.mark.parametrize(
    ("epochs", "most"), [(2, 4), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((1, 4), (5, 2), (6, 1), (7, 4)))]
)
def test_disk_is_what_the_workspace_takes(files, tmp_path, epochs, most):
    """Within a quarter of all that lies in the workspace in the end, the rankings made of it included."""
    training = training_settings("cnn", epochs=epochs, learning_rate=0.1, batch_size=32)
    wanted = request(files, training=training, max_checkpoints=most)
    estimate = estimate_build(wanted, *read(files), after=ranked)
    assert (estimate.rows, estimate.test_rows, estimate.epochs, estimate.checkpoints) == (900, 120, epochs, min(epochs, most))
    assert (estimate.sample_rows, estimate.sample_test_rows) == (estimates.SAMPLE_TRAIN, estimates.SAMPLE_TEST)
    build_workspace(tmp_path / "real", wanted)
    ranked(tmp_path / "real", lambda *_: None)
    assert estimate.disk == pytest.approx(sum(disk_use(tmp_path / "real").values()), rel=0.25)
    assert estimate.disk_peak > estimate.disk
    assert 0 < estimate.low <= estimate.expected < estimate.high
    assert sum(estimate.kinds.values()) == pytest.approx(sum(estimate.stages.values()))
    assert {"train", "gradients", "influences", "results"} <= set(estimate.kinds)
    assert ("predictions" in estimate.kinds) == (most < epochs)
    assert estimate.memory > 100e6
    assert estimate.tokens.most <= estimate.max_length


def test_a_stage_is_scaled_by_what_its_reports_say():
    # Ten seconds before the first report, which are spent once, then half a second each.
    stage = StageTime(begin=(0.0, 0.0, 0), first=(10.0, 5.0, 1), last=(12.0, 6.0, 5), total=5)
    assert stage.scaled(0, 1.0) == pytest.approx(10 + 0.5 * 4)
    assert stage.scaled(0, 10.0) == pytest.approx(10 + 0.5 * 49)
    assert stage.scaled(1, 10.0) == pytest.approx(5 + 0.25 * 49)
    paces = [(1.0, 1.0), (1.0, 1.0), (100.0, 1.0), (1.0, 1.0)]
    stalled = StageTime((0.0, 0.0, 0), (1.0, 1.0, 1), (104.0, 5.0, 5), 5, paces=paces)
    assert stalled.scaled(0, 10.0) == pytest.approx(1 + 2.0 * 49)  # once it was left standing for 99 seconds
    assert stalled.scaled(1, 10.0) == pytest.approx(1 + 1.0 * 49)
    whole = StageTime(begin=(1.0, 0.0, 0), first=(4.0, 3.0, 5), last=(4.0, 3.0, 5), total=5)
    assert whole.scaled(0, 2.0) == pytest.approx(6)


def test_epochs_are_added_up_and_what_comes_between_is_not_theirs(monkeypatch):
    """Two checkpoints of four batches each, a second a batch, with a minute of another stage after each."""
    now = [0.0]
    monkeypatch.setattr("influence.timing.time.monotonic", lambda: now[0])
    monkeypatch.setattr("influence.timing.time.process_time", lambda: now[0] / 2)
    clock = Clock(lambda *_: None)
    for number in (1, 2):
        for done in range(1, 5):
            now[0] += 1
            clock(Stage("gradients", number=number, out_of=2, examples="train"), done, 4)
        now[0] += 60
        clock(Stage("gradients", number=number, out_of=2, examples="test"), 1, 1)
    train, test = clock.stages["gradients train"], clock.stages["gradients test"]
    assert train.scaled(0, 5.0) == pytest.approx(20)
    assert train.scaled(1, 5.0) == pytest.approx(10)
    assert test.scaled(0, 3.0) == pytest.approx(180)
    assert clock.by_kind({"gradients train": 20.0, "gradients test": 180.0}) == {"gradients": 200.0}


def test_what_is_not_known_grows_with_the_rows_or_not_at_all():
    run = estimates._Run(epochs=6, kept=4, sample_epochs=3, sample_kept=2)
    scale = estimates._Scale(rows=8.0, test_rows=2.0, run=run)
    stages = ["tokenize test", "train", "gradients train", "predictions test", "a stage of tomorrow"]
    assert [scale.time(name) for name in stages] == [2.0, 48.0, 32.0, 12.0, 8.0]
    sizes = {
        "builds/x/index/train/17/3/rows.npy": 8 * 2,
        "builds/x/index/train/encoding/tokens_R.npy": 8,
        "builds/x/index/test/0/labels.npy": 2 * 2,
        "builds/x/index/special_tokens.npy": 1,
        "builds/x/predictions/train/1/probabilities.npy": 8 * 2,
        "builds/x/checkpoints/1/model.safetensors": 1,
        "builds/x/checkpoints/0/adam.safetensors": 2,
        "builds/x/a file of tomorrow": 1,
        "embeddings/x.npy": 8,
        "workspace.json": 1,
    }
    assert {name: scale.bytes(name, 1_000) / 1_000 for name in sizes} == sizes
    assert scale.bytes("builds/x/suspects-1.duckdb", 2_200_000) == 1_200_000 + 8 * 1_000_000
    assert scale.bytes("builds/x/clusters-1.duckdb", 700_000) == 700_000


def test_more_epochs_take_longer_and_more_room(files):
    few, many = (
        estimate_build(request(files, training=training_settings("cnn", epochs=n, learning_rate=0.1)), *read(files))
        for n in (1, 30)
    )
    assert few.disk < many.disk < 7 * few.disk  # the index has four checkpoints, however many epochs there are
    assert many.stages["train"] > few.stages["train"]


def test_what_a_build_would_refuse_is_refused(files, tmp_path):
    one = write_csv(tmp_path / "one.csv", [(str(n), f"text {n}", "same") for n in range(9)])
    with pytest.raises(DataError, match="at least two classes"):
        estimate_build(request({**files, "train": one}), *read({**files, "train": one}))
    with pytest.raises(SettingsError, match="import"):
        estimate_build(request(files, training=None, checkpoints="somewhere"), *read(files))


def test_what_comes_after_a_build_is_measured_too(files):
    def rank(path, progress):
        assert read_workspace(path).info.n_train == estimates.SAMPLE_TRAIN
        for done in range(11):
            time.sleep(0.02)
            progress("opinions", done, 10)

    wanted = request(files, training=training_settings("cnn", epochs=1, learning_rate=0.1, batch_size=32))
    estimate = estimate_build(wanted, *read(files), after=rank)
    assert estimate.kinds["opinions"] > 0.02 * 10 * 900 / estimates.SAMPLE_TRAIN * 0.9
