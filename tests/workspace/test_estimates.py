"""The estimate of a build: measured by a small build, scaled by what each stage grows with."""

import time

import pytest
from tiny import request, rows, write_csv

from influence.data.dataset import Columns, read_dataset
from influence.errors import DataError, SettingsError
from influence.types import Stage
from influence.workspace import estimates
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings
from influence.workspace.estimates import estimate_build
from influence.workspace.workspace import read_workspace


@pytest.fixture
def files(tmp_path):
    return {
        split: write_csv(tmp_path / f"{split}.csv", rows(n, seed=n, prefix=split)) for split, n in (("train", 900), ("test", 120))
    }


def read(files):
    return [read_dataset(files[split], Columns(id="id"), split=split) for split in ("train", "test")]


def test_disk_is_what_the_build_takes(files, tmp_path):
    wanted = request(files, training=training_settings("cnn", epochs=2, learning_rate=0.1, batch_size=32))
    estimate = estimate_build(wanted, *read(files))
    assert (estimate.rows, estimate.test_rows, estimate.epochs) == (900, 120, 2)
    assert (estimate.sample_rows, estimate.sample_test_rows) == (estimates.SAMPLE_TRAIN, estimates.SAMPLE_TEST)
    info = build_workspace(tmp_path / "real", wanted)
    assert 0.6 < estimate.disk / info.bytes < 1.7
    assert estimate.disk_peak > estimate.disk
    assert 0 < estimate.low <= estimate.expected < estimate.high
    assert sum(estimate.kinds.values()) == pytest.approx(sum(estimate.stages.values()))
    assert {"train", "gradients", "influences", "results"} <= set(estimate.kinds)
    assert estimate.memory > 100e6
    assert estimate.tokens.most <= estimate.max_length


def test_a_stage_is_scaled_by_what_its_reports_say():
    # Ten seconds before the first report, which are spent once, then half a second each.
    stage = estimates._Stage(begin=(0.0, 0.0, 0), first=(10.0, 5.0, 1), last=(12.0, 6.0, 5), total=5)
    assert stage.scaled(0, 1.0) == pytest.approx(10 + 0.5 * 4)
    assert stage.scaled(0, 10.0) == pytest.approx(10 + 0.5 * 49)
    assert stage.scaled(1, 10.0) == pytest.approx(5 + 0.25 * 49)
    stalled = estimates._Stage(
        (0.0, 0.0, 0), (1.0, 1.0, 1), (104.0, 5.0, 5), 5, [(1.0, 1.0), (1.0, 1.0), (100.0, 1.0), (1.0, 1.0)]
    )
    assert stalled.scaled(0, 10.0) == pytest.approx(1 + 2.0 * 49)  # once it was left standing for 99 seconds
    assert stalled.scaled(1, 10.0) == pytest.approx(1 + 1.0 * 49)
    whole = estimates._Stage(begin=(1.0, 0.0, 0), first=(4.0, 3.0, 5), last=(4.0, 3.0, 5), total=5)
    assert whole.scaled(0, 2.0) == pytest.approx(6)


def test_a_stage_that_is_not_known_grows_with_the_rows():
    scale = estimates._Scale(rows=4.0, test_rows=2.0, epochs=3)
    assert [scale.time(name) for name in ("tokenize test", "train", "a stage of tomorrow")] == [2.0, 12.0, 4.0]
    clock = estimates._Clock(lambda *_: None)
    for stage in (
        Stage("train", number=1),
        Stage("train", number=2),
        Stage("gradients", number=1, out_of=1, examples="test"),
        "new",
    ):
        clock(stage, 1, 1)
    assert list(clock.stages) == ["train", "gradients test", "new"]


def test_more_epochs_take_longer_and_more_room(files):
    few, many = (
        estimate_build(request(files, training=training_settings("cnn", epochs=n, learning_rate=0.1)), *read(files))
        for n in (1, 30)
    )
    assert many.disk > 5 * few.disk
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
