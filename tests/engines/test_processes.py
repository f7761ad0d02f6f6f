"""Work in processes of this machine: what comes back, what each place has, and what happens when one dies."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from engine_work import die_at_first, look_around, refuse

from influence.engines import Processes, cards, chosen, name_of
from influence.engines.engine import Work
from influence.errors import EngineError, ModelError, SettingsError, WorkspaceError


def run(engine: Processes, work: Work, tasks: list[dict[str, Any]], **options: Any) -> list[Any]:
    """Results, or errors, in the order of the tasks."""
    found = {ended.task: ended.error or ended.result for ended in engine.run(work, tasks, **options)}
    return [found[task] for task in range(len(tasks))]


def test_all_is_done_side_by_side_and_steps_are_told() -> None:
    told: list[int] = []
    tasks = [{"steps": 3, "name": f"é{number}", "seconds": 0.2} for number in range(5)]
    found = run(Processes([{}, {}]), look_around, tasks, step=told.append)
    assert [one["asked"] for one in found] == tasks
    assert len({one["process"] for one in found}) == 2
    assert sum(told) == 15
    assert {one["threads"] for one in found} == {1}


def test_each_process_sees_its_own_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """No card is needed to see which one a process would have."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7")
    engine = Processes(cards(2), device="cuda")
    assert engine.places == 2
    found = run(engine, look_around, [{"seconds": 0.3} for _ in range(4)])
    by_process: dict[int, set[str]] = {}
    for one in found:
        by_process.setdefault(one["process"], set()).add(one["seen"])
    assert sorted(map(sorted, by_process.values())) == [["5"], ["GPU-7"]]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert cards(2) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]


def test_what_cannot_be_done_is_the_same_error_here_and_stops_nothing_else() -> None:
    first, second = run(Processes([{}]), refuse, [{"why": "no such model"}, {"disk": "full"}])
    assert isinstance(first, ModelError)
    assert str(first) == "no such model"
    assert isinstance(second, WorkspaceError)
    assert "disk full; free some space" in str(second)


@pytest.mark.slow
def test_a_killed_process_is_told_or_its_work_is_done_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks = [{"folder": str(tmp_path), "name": name, "deaths": deaths} for name, deaths in (("a", 1), ("b", 0), ("c", 3))]
    found = run(Processes([{}, {}]), die_at_first, tasks, retries=2)
    assert found[:2] == ["a", "b"]
    assert isinstance(found[2], EngineError)
    assert "ended unexpectedly (exit code -9; it may have run out of memory)" in str(found[2])
    assert run(Processes([{}, {}]), die_at_first, tasks) == ["a", "b", "c"]  # asked again: those files are there now
    bug, fine = run(Processes([{}]), refuse, [{}, {"why": "x"}])
    assert "exit code 1; see above" in str(bug)
    assert str(fine) == "x"
    assert "RuntimeError: a bug" in capfd.readouterr().err


def test_holders_keep_what_they_opened_and_answer_a_share_each(tmp_path: Path) -> None:
    held = Processes([{}, {}]).hold(look_around, {"name": "é"})
    try:
        first, second = held.ask({"steps": 2}), held.ask({})
        assert [one["asked"] for one in first] == [{"name": "é", "steps": 2, "share": [place, 2]} for place in range(2)]
        assert [one["process"] for one in first] == [one["process"] for one in second]
        assert first[0]["process"] != first[1]["process"]
        os.kill(first[0]["process"], signal.SIGKILL)
        with pytest.raises(EngineError, match="ended unexpectedly"):
            held.ask({})
    finally:
        held.close()


def test_only_what_others_can_import_is_work() -> None:
    assert name_of(look_around) == "engine_work:look_around"
    with pytest.raises(ValueError, match="no function of a module"):
        name_of(lambda arguments, step: None)


def test_an_address_goes_with_ray() -> None:
    with (
        pytest.raises(SettingsError, match="--address 'head:1' is that of a Ray cluster; it goes with --engine ray"),
        chosen(address="head:1"),
    ):
        pass
    with chosen() as engine:
        assert engine is None
