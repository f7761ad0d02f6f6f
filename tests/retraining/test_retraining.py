"""Retraining: the same as training alone, one at a time or together; kept, reused, resumed, interrupted."""

import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import torch
from tiny import bert, request, word_pieces

import influence.retraining.schedule as plan
from influence.checkpoints import load_checkpoint
from influence.engines import expected_seconds, worth_processes
from influence.errors import DataError, EngineError, ModelError, SettingsError, WorkspaceBusy, WorkspaceNewer
from influence.experiments.whatif import models_left
from influence.files import load_array
from influence.models.encoding import Encoding
from influence.models.model import load_tokenizer, new_classifier
from influence.models.training import TrainingSettings, epoch_seed, make_optimizer, shuffled_batches
from influence.retraining import retrain
from influence.retraining.change import Change, Run
from influence.retraining.recipe import Recipe
from influence.retraining.runner import RunResult, seeds_of
from influence.retraining.tables import FILE, RunKey, fingerprint, open_store
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings
from influence.workspace.workspace import WorkspaceReader, read_workspace

CLOSE = 2e-5  # of probabilities: float32 sums in another order, over 15 steps
EXACT = 2e-7  # the same in float64, and probabilities rounded to float32 at the end
CHANGES = [
    Change(),
    Change(removed=(1, 2, 5, 7, 40)),
    Change(relabelled=((3, 1), (4, 0))),
    Change(removed=(0,), relabelled=((9, 0), (10, 1))),
]


def controls(seeds: Iterable[int]) -> list[Run]:
    """Runs that change nothing, one a seed."""
    return [Run(seed) for seed in seeds]


@pytest.fixture
def opened(copied: Callable[[], Path]) -> Iterator[WorkspaceReader]:
    workspace = read_workspace(copied())
    yield workspace
    workspace.close()


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are trained in float64: rounding then never moves a value across a ReLU's kink, where gradients jump."""
    import influence.retraining.recipe as recipe

    monkeypatch.setattr(recipe, "new_classifier", lambda *a, **o: new_classifier(*a, **o).double())


def results(workspace: WorkspaceReader, runs: list[Run], **options: Any) -> dict[Run, RunResult]:
    return {result.run: result for result in retrain(workspace, runs, **options)}


def one_by_hand(workspace: WorkspaceReader, run: Run, encoding: Encoding | None = None) -> np.ndarray:
    """The slow way: the whole model, a plain loop over the seed's batches, removed rows left out of the loss."""
    settings = replace(TrainingSettings(**workspace.info.settings["training"]), seed=run.seed)
    tokenizer = load_tokenizer(str(workspace.build / "checkpoints" / "tokenizer"))
    model = new_classifier(workspace.info.model, workspace.info.labels, seed=run.seed, vocabulary=len(tokenizer)).double()
    splits = {s: Encoding.load(workspace.build / "index" / s / "encoding") for s in ("train", "test")}
    train = encoding or splits["train"]
    labels_N = np.array(load_array(workspace.build / "index" / "train" / "labels.npy"))
    for row, label in run.change.relabelled:
        labels_N[row] = label
    optimizer = make_optimizer(model, settings)

    def logits(data: Encoding, row: int) -> torch.Tensor:  # one example at a time: no padding at all
        tokens = data.tokens_R[data.offsets_N1[row] : data.offsets_N1[row + 1]]
        return model(input_ids=torch.tensor(tokens[None].astype(np.int64))).logits

    for epoch in range(1, settings.epochs + 1):
        for batch in shuffled_batches(splits["train"].lengths_N, settings, epoch=epoch):
            kept = [row for row in batch.tolist() if row not in run.change.removed]
            losses = [torch.nn.functional.cross_entropy(logits(train, r), torch.tensor([labels_N[r]])) for r in kept]
            optimizer.zero_grad()
            (torch.stack(losses).sum() / len(kept)).backward()
            optimizer.step()
    with torch.no_grad():
        return torch.cat([logits(splits["test"], row).softmax(dim=1) for row in range(len(splits["test"]))]).numpy()


def test_a_run_without_change_is_the_workspaces_own_training(opened: WorkspaceReader) -> None:
    own = opened.probabilities("test")
    (result,) = retrain(opened, [Run(0)])
    np.testing.assert_allclose(result.probabilities_MY, own, atol=CLOSE)
    assert not result.reused
    assert result.seconds > 0


@pytest.mark.parametrize("run", [Run(3, change) for change in CHANGES], ids=["control", "removed", "relabelled", "both"])
def test_a_run_is_what_a_plain_loop_gives(opened: WorkspaceReader, double: None, run: Run) -> None:
    (result,) = retrain(opened, [run])
    np.testing.assert_allclose(result.probabilities_MY, one_by_hand(opened, run), atol=EXACT)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("together", [2, 64])
def test_together_is_the_same_as_alone(opened: WorkspaceReader, double: None, together: int, frozen: bool) -> None:
    masked = Change(masked=((6, (first_word(opened, 6),)),))
    runs = [Run(seed, change) for seed in (1, 2) for change in [*CHANGES, masked]]
    alone = results(opened, runs, together=1, freeze_embedding=frozen)
    (opened.path / FILE).unlink()
    batched = results(opened, runs, together=together, freeze_embedding=frozen)
    for run in runs:
        assert not batched[run].reused
        np.testing.assert_allclose(batched[run].probabilities_MY, alone[run].probabilities_MY, atol=EXACT)
    assert len({r.probabilities_MY.tobytes() for r in alone.values()}) == len(runs)  # and each change changes something


def test_frozen_means_the_embedding_stays(opened: WorkspaceReader) -> None:
    free, frozen = (next(retrain(opened, [Run(1)], freeze_embedding=f)).probabilities_MY for f in (False, True))
    assert np.abs(free - frozen).max() > 0.01
    assert next(retrain(opened, [Run(1)])).reused
    assert next(retrain(opened, [Run(1)], freeze_embedding=True)).reused


def test_a_workspace_built_with_a_frozen_embedding_is_retrained_so(data: dict[str, str], tmp_path: Path) -> None:
    frozen = training_settings("cnn", epochs=3, learning_rate=0.1, batch_size=16, freeze_embedding=True)
    build_workspace(tmp_path / "frozen", request(data, training=frozen))
    with closing(read_workspace(tmp_path / "frozen")) as opened:
        tables = [load_checkpoint(opened.build / "checkpoints", number).get_input_embeddings().weight for number in range(3)]
        began = new_classifier("cnn", opened.info.labels, seed=0, vocabulary=len(tables[0])).get_input_embeddings().weight
        assert all(torch.equal(table, began) for table in tables)
        own = opened.probabilities("test")
        (result,) = retrain(opened, [Run(0)])
        np.testing.assert_allclose(result.probabilities_MY, own, atol=CLOSE)
        assert next(retrain(opened, [Run(0)], freeze_embedding=True)).reused  # there is no other way to train it
        assert models_left(opened, Change(), 1) == 1
        next(retrain(opened, [Run(1)]))
        assert models_left(opened, Change(), 1) == 0


def test_momentum_and_weight_decay_are_those_of_the_build(data: dict[str, str], tmp_path: Path) -> None:
    """Recorded, and trained with again: seed 0 gives the build's own predictions, where the usual settings do not."""
    given = training_settings("cnn", epochs=3, learning_rate=0.1, batch_size=16, momentum=0.5, weight_decay=0.01)
    build_workspace(tmp_path / "decayed", request(data, training=given))
    with closing(read_workspace(tmp_path / "decayed")) as opened:
        assert {name: opened.info.settings["training"][name] for name in ("momentum", "weight_decay")} == {
            "momentum": 0.5,
            "weight_decay": 0.01,
        }
        own = opened.probabilities("test")
        (result,) = retrain(opened, [Run(0)])
        np.testing.assert_allclose(result.probabilities_MY, own, atol=CLOSE)


def first_word(workspace: WorkspaceReader, row: int) -> str:
    return workspace.store.examples("train", [row])[row].text.split()[0]


def test_masked_words_are_the_mask_token_in_place(opened: WorkspaceReader, double: None) -> None:
    """The CNN's tokenizer has whole words here, so a word is a token, and its mask is [UNK]."""
    word = first_word(opened, 6)
    tokenizer = load_tokenizer(str(opened.build / "checkpoints" / "tokenizer"))
    train = Encoding.load(opened.build / "index" / "train" / "encoding")
    tokens_R, rows = np.array(train.tokens_R), slice(*train.offsets_N1[6:8].tolist())
    own = tokens_R[rows]
    assert tokenizer.convert_tokens_to_ids(word) in own
    tokens_R[rows] = np.where(own == tokenizer.convert_tokens_to_ids(word), tokenizer.unk_token_id, own)
    run = Run(2, Change(masked=((6, (word,)),)))
    (result,) = retrain(opened, [run])
    np.testing.assert_allclose(result.probabilities_MY, one_by_hand(opened, run, replace(train, tokens_R=tokens_R)), atol=EXACT)


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.05), ("adamw", 0.002)])
def test_weight_decay_and_adamw_go_the_same_way(data: dict[str, str], tmp_path: Path, optimizer: Any, rate: float) -> None:
    """Rows of the word table that a batch does not touch still decay and still move by their momentum."""
    settings = training_settings("cnn", epochs=3, learning_rate=rate, batch_size=8, optimizer=optimizer)
    training = replace(settings, weight_decay=0.3)
    build_workspace(tmp_path / "ws", request(data, training=training))
    workspace = read_workspace(tmp_path / "ws")
    own = workspace.probabilities("test")
    for together in (1, 3):
        found = results(workspace, [Run(0), Run(0, Change(removed=(1,))), Run(0, Change(removed=(2,)))], together=together)
        np.testing.assert_allclose(found[Run(0)].probabilities_MY, own, atol=CLOSE)
        (workspace.path / FILE).unlink()
    workspace.close()


def test_a_batch_of_removed_examples_only_is_a_step_without_gradient(opened: WorkspaceReader, double: None) -> None:
    settings = TrainingSettings(**opened.info.settings["training"])
    lengths_N = Encoding.load(opened.build / "index" / "train" / "encoding").lengths_N
    batch = next(shuffled_batches(lengths_N, replace(settings, seed=4), epoch=1))
    run = Run(4, Change(removed=tuple(batch.tolist())))
    alone = next(retrain(opened, [run])).probabilities_MY
    (opened.path / FILE).unlink()
    together = results(opened, [run, Run(4)], together=2)[run].probabilities_MY
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(together, alone, atol=EXACT)


@pytest.fixture(scope="module")
def bert_workspace(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of a small BERT with dropout, trained by AdamW."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = word_pieces()
    model = bert(len(tokenizer), 2, seed=1)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.2
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    training = training_settings("bert", epochs=2, learning_rate=0.003, batch_size=16)
    build_workspace(folder / "ws", request(data, model=str(folder / "model"), num_hidden_layers=2, training=training))
    return folder / "ws"


@pytest.fixture
def opened_bert(bert_workspace: Path, tmp_path: Path) -> Iterator[WorkspaceReader]:
    workspace = read_workspace(shutil.copytree(bert_workspace, tmp_path / "ws"))
    yield workspace
    workspace.close()


def test_a_transformers_dropout_is_that_of_its_own_training(
    opened_bert: WorkspaceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the last layer computed for the first token only, as on a CPU, and with the model as it is."""
    own = opened_bert.probabilities("test")
    recipe = Recipe(opened_bert, [], torch.device("cpu"))
    assert recipe.first_token_only
    assert len(recipe.used_V) < len(recipe.tokenizer)
    np.testing.assert_allclose(next(retrain(opened_bert, [Run(0)])).probabilities_MY, own, atol=1e-4)
    monkeypatch.setattr(Recipe, "_first_token_is_enough", lambda *_: False)
    (opened_bert.path / FILE).unlink()
    np.testing.assert_allclose(next(retrain(opened_bert, [Run(0)])).probabilities_MY, own, atol=1e-4)


def test_transformers_together_share_their_dropout_and_come_to_the_same(opened_bert: WorkspaceReader) -> None:
    """Only the linear algebra differs: one shared draw of dropout is the draw of a run trained alone."""
    masked = Change(masked=((6, (first_word(opened_bert, 6),)),))
    runs = [Run(1, change) for change in [*CHANGES, masked]]
    alone = results(opened_bert, runs, together=1)
    (opened_bert.path / FILE).unlink()
    batched = results(opened_bert, runs, together=8)
    for run in runs:
        np.testing.assert_allclose(batched[run].probabilities_MY, alone[run].probabilities_MY, atol=1e-4)
    assert len({r.probabilities_MY.tobytes() for r in alone.values()}) == len(runs)


def test_masking_does_not_change_the_dropout_of_other_examples(opened_bert: WorkspaceReader) -> None:
    """A masked example keeps its place and its batch's shape, so no later draw moves."""
    row = int(np.argmax(Encoding.load(opened_bert.build / "index" / "train" / "encoding").lengths_N))
    recipe = Recipe(opened_bert, [change := Change(masked=((row, (first_word(opened_bert, row),)),))], torch.device("cpu"))
    assert recipe.train_tokens(change).lengths_N.tolist() == recipe.train.lengths_N.tolist()
    changed = recipe.used_V[recipe.train_tokens(change).tokens_R] != recipe.used_V[recipe.train.tokens_R]
    assert set(recipe.used_V[recipe.train_tokens(change).tokens_R[changed]].tolist()) == {recipe.tokenizer.unk_token_id}
    assert set(np.searchsorted(recipe.train.offsets_N1, np.flatnonzero(changed), side="right") - 1) == {row}


def test_finished_runs_are_reused_and_cut_to_the_tests_asked_for(opened: WorkspaceReader) -> None:
    first = results(opened, controls([1, 2]))
    steps: list[tuple[str, int, int]] = []
    again = list(retrain(opened, [Run(2), Run(1), Run(1)], tests=[3, 0], progress=lambda *s: steps.append(s)))
    assert [(r.run.seed, r.reused) for r in again] == [(2, True), (1, True)]
    assert steps == []
    np.testing.assert_array_equal(again[0].probabilities_MY, first[Run(2)].probabilities_MY[[3, 0]])


def test_a_run_kept_for_few_tests_is_done_again_for_others(opened: WorkspaceReader) -> None:
    few = results(opened, [Run(1)], tests=[3, 5])[Run(1)]
    assert results(opened, [Run(1)], tests=[5])[Run(1)].reused
    whole = results(opened, [Run(1)])[Run(1)]
    assert not whole.reused
    np.testing.assert_allclose(whole.probabilities_MY[[3, 5]], few.probabilities_MY, atol=CLOSE)
    own = results(opened, [Run(1), Run(7), Run(8)], tests={Run(1): None, Run(7): [2], Run(8): [4, 2]})
    assert [len(r.probabilities_MY) for r in own.values()] == [opened.info.n_test, 1, 2]
    assert results(opened, [Run(7)], tests=[2, 4])[Run(7)].reused  # both were predicted and kept for either run


def test_another_build_does_not_reuse(data: dict[str, str], opened: WorkspaceReader) -> None:
    list(retrain(opened, [Run(1)]))
    path, before = opened.path, fingerprint(opened)
    build_workspace(path, request(data, training=training_settings("cnn", epochs=2, learning_rate=0.1, batch_size=16)))
    rebuilt = read_workspace(path)
    assert fingerprint(rebuilt) != before
    assert not next(retrain(rebuilt, [Run(1)])).reused
    rebuilt.close()


@pytest.mark.parametrize("together", [1, 2])
def test_an_interruption_keeps_what_is_finished_and_nothing_else(opened: WorkspaceReader, together: int) -> None:
    """Told of every step: the third pair of runs is half done when it is stopped."""
    runs = [Run(seed, change) for seed in (1, 2, 3) for change in CHANGES[:2]]
    steps = 0

    def interrupting(_stage: str, _done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        if steps > 15 * 4 // together + 5:
            raise KeyboardInterrupt

    iteration = retrain(opened, runs, together=together, progress=interrupting)
    assert [r.run for r in itertools.islice(iteration, 4)] == runs[:4]
    with pytest.raises(KeyboardInterrupt):
        next(iteration)
    again = results(opened, runs, together=together)
    assert [again[run].reused for run in runs] == [True] * 4 + [False] * 2
    assert sorted(p.name for p in opened.path.iterdir() if "retraining" in p.name) == [FILE, "retraining.lock"]


def test_an_abandoned_iteration_keeps_what_was_yielded(opened: WorkspaceReader) -> None:
    iteration = retrain(opened, controls([1, 2, 3]))
    next(iteration)
    iteration.close()  # type: ignore[attr-defined]
    assert [r.reused for r in retrain(opened, controls([1, 2]))] == [True, False]


@pytest.mark.slow
def test_a_killed_process_leaves_a_file_that_opens(opened: WorkspaceReader) -> None:
    code = f"""
import os
from influence.retraining import Run, retrain
from influence.workspace import read_workspace
import influence.retraining.runner as runner
runner.SAVE_SECONDS = 0.0
for number, result in enumerate(retrain(read_workspace({str(opened.path)!r}), [Run(seed) for seed in range(1, 50)])):
    if number == 3: os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert sum(r.reused for r in retrain(opened, controls(range(1, 6)))) == 4


@pytest.mark.slow
def test_runs_in_processes_are_the_same_to_the_bit(opened: WorkspaceReader) -> None:
    runs = [Run(1, Change(masked=((6, (first_word(opened, 6),)),))), Run(2, CHANGES[3]), Run(2)]
    here = results(opened, runs)
    (opened.path / FILE).unlink()
    told: list[tuple[str, int, int]] = []
    there = results(opened, runs, processes=2, progress=lambda *s: told.append(s))
    assert told[-1] == ("retrain", 45, 45)
    for run in runs:
        np.testing.assert_array_equal(there[run].probabilities_MY, here[run].probabilities_MY)
    assert all(r.reused for r in results(opened, runs).values())


@pytest.mark.slow
def test_the_time_of_a_processor_is_kept_whoever_trained(opened: WorkspaceReader) -> None:
    for processes in (1, 2):
        results(opened, controls([1, 2]), processes=processes)
        latest = open_store(opened).latest_seconds()
        assert latest is not None
        seconds, processor = latest
        assert processor is not None
        assert 0 < processor <= seconds * max(torch.get_num_threads(), 1) + 0.1
        (opened.path / FILE).unlink()


@pytest.mark.parametrize(
    ("runs", "processor", "cores", "busy", "seconds"),
    [
        (1, 10.0, 2, 0.0, 6 + 10),  # alone on an idle machine
        (6, 60.0, 2, 0.0, 6 + 180),  # two at a time
        (6, 60.0, 2, 2.0, 9 + 360),  # two more want the two cores: each gets half of one
        (6, 60.0, 2, 4.0, 15 + 540),
        (1, 10.0, 2, 3.0, 12 + 20),
        (100, 30.0, 16, 0.0, 6 + 187.5),
    ],
)
def test_the_time_expected_is_what_is_left_of_the_cores(
    runs: int, processor: float, cores: int, busy: float, seconds: float
) -> None:
    assert expected_seconds(runs, processor, cores, busy) == pytest.approx(seconds)


def test_one_thread_on_a_machine_of_two_cores_waits_for_the_others_only() -> None:
    assert expected_seconds(4, 100.0, 1, 1.0, 2) == pytest.approx(6 + 400)  # there is a core for each
    assert expected_seconds(4, 100.0, 1, 3.0, 2) == pytest.approx(12 + 800)


def test_the_time_expected_is_that_of_many_busy_loops() -> None:
    """Two runs that want a core each, beside as many others as there are cores; by a simulation in slices of a second."""
    cores, others, left = 2, 2, [40.0] * 6
    wanting, waiting, now = left[:2], left[2:], 0.0
    while wanting:
        share = min(1.0, cores / (len(wanting) + others))
        wanting = [one - share for one in wanting]
        now += 1
        wanting = [one for one in wanting if one > 0] + [waiting.pop() for one in wanting if one <= 0 and waiting]
    assert expected_seconds(6, 40.0, cores, others) == pytest.approx(now, rel=0.05)


def test_interrupted_processes_are_gone_and_a_killed_one_is_told(
    opened: WorkspaceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    import influence.engines.processes as processes

    started: list[Any] = []
    real = subprocess.Popen

    def popen(*args: Any, **options: Any) -> Any:
        started.append(real(*args, **options))
        return started[-1]

    monkeypatch.setattr(processes.subprocess, "Popen", popen)

    def interrupting(_stage: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(retrain(opened, controls([1, 2]), processes=2, progress=interrupting))
    assert [process.poll() for process in started] == [-9, -9]
    assert not (opened.path / FILE).exists()

    def killing(_stage: str, _done: int, _total: int) -> None:
        started[-1].kill()

    with pytest.raises(EngineError, match=r"ended unexpectedly \(exit code -9; it may have run out of memory\)"):
        list(retrain(opened, controls([1, 2]), processes=2, progress=killing))
    assert all(process.poll() is not None for process in started)


@pytest.mark.slow
def test_processes_end_with_a_killed_parent(opened: WorkspaceReader) -> None:
    code = f"""
import os, subprocess
from influence.retraining import Run, retrain
from influence.workspace import read_workspace
import influence.engines.processes as processes
real = subprocess.Popen
def popen(*args, **options):
    started = real(*args, **options)
    print(started.pid, flush=True)
    return started
processes.subprocess.Popen = popen
for result in retrain(read_workspace({str(opened.path)!r}), [Run(seed) for seed in range(1, 5000)], processes=2):
    os.kill(os.getpid(), 9)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == -9
    workers = [int(pid) for pid in said.stdout.split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 30
    while any(
        Path(f"/proc/{pid}/cmdline").exists() and b"engines.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        for pid in workers
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("runs", "seconds", "cores", "processes"),
    [(100, 5.0, 2, 2), (100, 5.0, 16, 16), (3, 40.0, 2, 3), (3, 40.0, 8, 3), (3, 1.0, 8, 0), (1, 99.0, 8, 0), (9, 9.0, 1, 0)],
)
def test_processes_are_started_where_they_are_sooner(runs: int, seconds: float, cores: int, processes: int) -> None:
    assert worth_processes(runs, seconds, cores) == processes


def test_the_faster_number_of_threads_stays_and_the_old_one_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    import influence.retraining.threads as threads

    used, clock = [4], [0.0]
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: used[-1])
    monkeypatch.setattr(threads.torch, "set_num_threads", used.append)
    monkeypatch.setattr(threads.time, "perf_counter", lambda: clock[0])
    for cost, best in (({4: 1.0, 1: 0.4}, 1), ({4: 0.3, 1: 0.4}, 4)):
        used[:] = [4]
        with threads.ThreadChoice() as choice:
            for _ in range(20):
                choice.step()
                clock[0] += cost[used[-1]]
            assert used[-1] == best
        assert used[-1] == 4


def test_progress_counts_the_steps_of_what_is_trained(opened: WorkspaceReader) -> None:
    list(retrain(opened, [Run(1)]))
    told: list[tuple[str, int, int]] = []
    list(retrain(opened, controls([1, 2, 3]), stage="controls", progress=lambda *s: told.append(s)))
    assert told[0] == ("controls", 0, 30)
    assert told[-1] == ("controls", 30, 30)
    assert [done for _, done, _ in told] == [*range(31)]


def test_out_of_memory_halves_the_batch_of_runs(opened: WorkspaceReader, double: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = plan.fine_tune, []

    def short_of_memory(recipe: Any, seed: int, changes: Any, **options: Any) -> Any:
        sizes.append(len(changes))
        if len(changes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(recipe, seed, changes, **options)

    monkeypatch.setattr(plan, "fine_tune", short_of_memory)
    runs = [Run(1, Change(removed=(row,))) for row in range(9)]
    found = results(opened, runs, together=8)
    assert sizes == [8, 4, 2, 2, 2, 2, 1]
    assert set(found) == set(runs)
    np.testing.assert_allclose(found[runs[4]].probabilities_MY, one_by_hand(opened, runs[4]), atol=EXACT)


def test_out_of_memory_in_the_middle_of_training(opened: WorkspaceReader, double: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised by an inner step, after some have been taken: the halves start from the beginning."""
    from influence.retraining.train import Trainees

    real, taken = Trainees.step, []

    def step(self: Any, *given: Any) -> Any:
        taken.append(self.runs)
        if self.runs == 4 and len(taken) == 7:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, *given)

    monkeypatch.setattr(Trainees, "step", step)
    runs = [Run(1, change) for change in CHANGES]
    told: list[int] = []
    found = results(opened, runs, together=4, progress=lambda _s, done, total: told.append(done / total))
    assert taken == [4] * 7 + [2] * 30
    assert told == sorted(told)
    assert max(told) == 1
    np.testing.assert_allclose(found[runs[1]].probabilities_MY, one_by_hand(opened, runs[1]), atol=EXACT)


def test_no_memory_for_a_single_run_is_one_line(opened: WorkspaceReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(plan, "fine_tune", none)
    with pytest.raises(ModelError, match="out of GPU memory while retraining a single model"):
        list(retrain(opened, controls([1])))


def test_only_the_words_in_use_have_a_row(opened: WorkspaceReader) -> None:
    recipe = Recipe(opened, [], torch.device("cpu"))
    model = new_classifier("cnn", opened.info.labels, seed=5, vocabulary=len(recipe.tokenizer))
    small = recipe.new_model(5)
    assert len(recipe.used_V) < len(recipe.tokenizer)
    assert recipe.used_V[recipe.pad_token] == recipe.pad_token
    table = model.get_input_embeddings().weight[torch.from_numpy(recipe.used_V)]
    torch.testing.assert_close(small.get_input_embeddings().weight, table)


def test_retraining_leaves_the_callers_random_state_alone(opened: WorkspaceReader) -> None:
    before = torch.get_rng_state()
    list(retrain(opened, [Run(1), Run(1, CHANGES[1])], together=2))
    assert torch.equal(before, torch.get_rng_state())
    assert epoch_seed(1, 1) != epoch_seed(1, 2)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda w: Change(removed=(80,)), SettingsError, "training row 80: workspace 'copy"),
        (lambda w: Change(relabelled=((0, 2),)), SettingsError, "label number 2"),
        (lambda w: Change(masked=((0, ("zebra",)),)), DataError, "cannot mask 'zebra' in example 'tr0': it does not occur"),
        (lambda w: Change(masked=((0, tuple(text(w, 0).split())),)), DataError, "masking leaves no text of example 'tr0'"),
        (lambda w: Change(removed=with_label(w, 0)), SettingsError, "no training example of 'neg' would be left"),
        (lambda w: Change(relabelled=tuple((r, 0) for r in with_label(w, 1))), SettingsError, "of 'pos' would be left"),
    ],
)
def test_a_change_that_does_not_fit(opened: WorkspaceReader, change: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        list(retrain(opened, [Run(1, change(opened))]))
    assert not (opened.path / FILE).exists()


def text(workspace: WorkspaceReader, row: int) -> str:
    return workspace.store.examples("train", [row])[row].text


def with_label(workspace: WorkspaceReader, label: int) -> tuple[int, ...]:
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    return tuple(np.flatnonzero(labels_N == label).tolist())


def test_changes_have_one_name_each() -> None:
    one = Change(removed=(5, 2, 2), relabelled=((7, 1), (6, 0)), masked=((9, ("b", "a")), (8, ("c",)), (9, ("a",))))
    same = Change(removed=(2, 5), relabelled=((6, 0), (7, 1)), masked=((8, ("c",)), (9, ("a", "b"))))
    assert one == same
    assert one.key == same.key
    assert one.masked == ((8, ("c",)), (9, ("a", "b")))
    assert Change(removed=(np.int64(3),)).key == Change(removed=(3,)).key
    assert len({c.key for c in (one, *CHANGES)}) == 5
    assert not Change()
    assert Change(removed=(0,))
    for wrong in ({"relabelled": ((3, 0),)}, {"masked": ((3, ("a",)),)}):
        with pytest.raises(SettingsError, match="training row 3 is removed and also"):
            Change(removed=(3,), **wrong)
    with pytest.raises(SettingsError, match="training row 3 is given two new labels"):
        Change(relabelled=((3, 0), (3, 1)))
    with pytest.raises(SettingsError, match="seed -1"):
        Run(-1)


def test_the_file_is_locked_only_while_it_is_used(opened: WorkspaceReader, monkeypatch: pytest.MonkeyPatch) -> None:
    import influence.retraining.tables as store

    for _ in retrain(opened, controls([1, 2])):
        with open_store(opened).opened() as file:  # between two results anyone may read
            assert file.rows("select count(*) from runs")
    monkeypatch.setattr(store, "WAIT_SECONDS", 0.1)
    with open_store(opened).opened(), pytest.raises(WorkspaceBusy, match="locked by another process"):
        list(retrain(opened, [Run(1)]))


def test_a_newer_file_is_refused(opened: WorkspaceReader) -> None:
    list(retrain(opened, [Run(1)]))
    with duckdb.connect(str(opened.path / FILE)) as connection:
        connection.execute("insert into schema_versions values (99)")
    with pytest.raises(WorkspaceNewer, match="schema version 99"):
        list(retrain(opened, [Run(1)]))


def test_the_store_finds_by_seed_change_and_kind(opened: WorkspaceReader) -> None:
    (result,) = retrain(opened, [Run(1, CHANGES[1])])
    store, key = open_store(opened), RunKey(1, CHANGES[1].key, False)
    found = store.find({key: None, key._replace(seed=2): None, key._replace(frozen=True): None}, 2)
    assert list(found) == [key]
    np.testing.assert_array_equal(found[key].probabilities_MY, result.probabilities_MY)


def test_seeds_are_not_the_workspaces_own(opened: WorkspaceReader) -> None:
    assert seeds_of(opened, 3) == [1, 2, 3]
    assert opened.info.settings["training"]["seed"] == 0


def test_a_workspace_of_imported_checkpoints_cannot_be_retrained(opened: WorkspaceReader) -> None:
    imported = WorkspaceReader(
        opened.path, opened.build, replace(opened.info, settings={**opened.info.settings, "training": None})
    )
    with pytest.raises(SettingsError, match="were imported, so how they were trained is not known"):
        list(retrain(imported, [Run(1)]))
    imported.close()


def test_a_training_that_diverges_says_so(data: dict[str, str], tmp_path: Path) -> None:
    build_workspace(tmp_path / "ws", request(data))
    workspace = read_workspace(tmp_path / "ws")
    wild = {**workspace.info.settings["training"], "learning_rate": 1e12}
    workspace.info = replace(workspace.info, settings={**workspace.info.settings, "training": wild})
    with pytest.raises(ModelError, match="retraining diverged in epoch"):
        list(retrain(workspace, [Run(1)]))
    workspace.close()
    shutil.rmtree(tmp_path / "ws")
