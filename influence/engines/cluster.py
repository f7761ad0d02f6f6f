"""An engine of the machines of a Ray cluster: a task of Ray's for every piece of work.

What travels is text: the name of a function of ours, its arguments as JSON, and what it gives. Ray is imported here alone.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from influence.engines.engine import Arguments, Finished, Step, Work, as_text, finished, name_of, perform
from influence.engines.machine import cores
from influence.errors import EngineError, SettingsError

ANSWER_SECONDS, CONNECT_SECONDS = 25.0, 4.0  # for a cluster to answer, and for its machine
POLL_SECONDS = 0.2
ASK_SECONDS = 60.0  # for all machines to answer one question
GONE_SECONDS = 60.0  # so long no machine of the cluster may have what the work needs
STORE_BYTES = 80 << 20  # of Ray's object store on this machine: only text travels
PACKAGE = Path(__file__).parents[1]
GET_RAY = "pip install ray==2.60.0"  # as in requirements-ray.txt, which an installation does not have
TOKEN = Path("~/.ray/auth_token")
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to Ray's makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # nor is Ray started by asking it something when it has ended
}
PROBE = "import ray, sys; ray.init(sys.argv[1], logging_level='ERROR', log_to_driver=False)"


class Cluster:
    """Ray on this machine, or, with the address of its head, on all machines of a cluster."""

    def __init__(self, address: str | None = None, device: str = "auto") -> None:
        if find_spec("ray") is None:
            raise EngineError(f"--engine ray: Ray is not installed; install it with: {GET_RAY}")
        for name, value in {**QUIET, **_token()}.items():
            os.environ.setdefault(name, value)
        address = address or os.environ.get("RAY_ADDRESS") or None  # which is set where a job of Ray's runs
        if address is not None:
            _check(address)
        self._address, self._asked = address, device

    def __enter__(self) -> Self:
        import ray
        from ray._private import worker

        worker._worker_logs_enabled = False  # else it tells of lost workers on standard output, where answers go
        usual: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
        try:
            if self._address is None:
                own = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": STORE_BYTES}
                found = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
                ray.init("local", **usual, **own, runtime_env=found)
            else:  # the others may not have the code
                ray.init(self._address, **usual, runtime_env={"py_modules": [str(PACKAGE)]})
        except Exception as error:
            raise EngineError(f"--engine ray: Ray cannot be started here ({_last_line(str(error))})") from error
        self._ray = ray
        has_cards = ray.cluster_resources().get("GPU", 0) >= 1
        if self._asked == "cuda" and not has_cards:
            ray.shutdown()
            raise SettingsError("--device cuda: no machine of the Ray cluster has a card; leave --device out")
        self.device = "cuda" if has_cards and self._asked != "cpu" else "cpu"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ray.shutdown()

    @property
    def places(self) -> int:
        """How many cards, or else cores, the cluster has."""
        return max(1, int(self._ray.cluster_resources().get("GPU" if self.device == "cuda" else "CPU", 1)))

    def _needs(self, threads: int) -> dict[str, float]:
        """What one piece of work is given of a machine: a card, or its threads' cores as far as any machine has them."""
        if self.device == "cuda":
            return {"num_gpus": 1}
        largest = max((node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]), default=1)
        return {"num_cpus": max(1, min(threads, int(largest)))}

    def run(
        self, work: Work, tasks: Sequence[Arguments], *, threads: int = 1, retries: int = 0, step: Step = lambda _steps: None
    ) -> Iterator[Finished]:
        """See `Engine`. Steps are told when the piece of work that took them has ended."""
        ray, needs = self._ray, self._needs(threads)
        remote = ray.remote(_perform).options(**needs, max_retries=retries, retry_exceptions=False)
        waiting = {remote.remote(name_of(work), as_text(asked), threads): task for task, asked in enumerate(tasks)}
        seen = time.monotonic()  # when somebody could last do the work
        try:
            while waiting and time.monotonic() - seen < GONE_SECONDS:
                ready, _ = ray.wait(list(waiting), timeout=POLL_SECONDS)
                step(0)
                for reference in ready:
                    ended, steps = self._answer(waiting.pop(reference), reference)
                    step(steps)
                    yield ended
                if self._is_there(needs):
                    seen = time.monotonic()
            for task in sorted(waiting.values()):
                yield Finished(task, None, EngineError(self._gone(needs)))
        finally:
            for reference in waiting if ray.is_initialized() else ():
                ray.cancel(reference, force=True)

    def hold(self, work: Work, arguments: Arguments) -> "Actors":
        """See `Engine`: an actor on every machine that is there now, which comes back when it is lost."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        kind, usual = self._ray.remote(_Actor), {"num_cpus": 0, "max_restarts": -1, "max_task_retries": 1}
        nodes = sorted(node["NodeID"] for node in self._ray.nodes() if node["Alive"])
        actors = [kind.options(**usual, scheduling_strategy=On(node, soft=True)).remote() for node in nodes]
        return Actors(self._ray, actors, work, arguments)

    def _answer(self, task: int, reference: Any) -> tuple[Finished, int]:
        """How a piece of work ended, and how many steps it took."""
        try:
            answer = json.loads(self._ray.get(reference))
        except Exception as error:  # of Ray's own kinds, or what nobody foresaw
            lost = f"a task of the Ray cluster was lost ({_last_line(str(error))}); run the same command again"
            return Finished(task, None, EngineError(lost)), 0
        return finished(task, answer), int(answer["steps"])

    def _is_there(self, needs: dict[str, float]) -> bool:
        """Whether a machine that can do the work is in the cluster."""
        wanted = {"num_gpus": "GPU", "num_cpus": "CPU"}
        return any(
            node["Alive"] and all(node["Resources"].get(wanted[name], 0) >= count for name, count in needs.items())
            for node in self._ray.nodes()
        )

    def _gone(self, needs: dict[str, float]) -> str:
        what = "card" if "num_gpus" in needs else f"{needs['num_cpus']} cores"
        return (
            f"for {GONE_SECONDS:.0f} s no machine of the Ray cluster has had a free place ({what}); "
            "bring the lost machines back, or run the same command again"
        )


class _Actor:
    """What stays on a machine and answers there."""

    def answer(self, name: str, arguments: str) -> str:
        return _perform(name, arguments, 1)


class Actors:
    """An actor on every machine, who answer until they are closed. See `Held`."""

    def __init__(self, ray: Any, actors: list[Any], work: Work, arguments: Arguments) -> None:
        self._ray, self._actors, self._work, self._arguments = ray, actors, name_of(work), dict(arguments)

    def ask(self, asked: Arguments) -> list[Any]:
        """What each answers, in order of machine."""
        count = len(self._actors)
        texts = [as_text({**self._arguments, **asked, "share": [number, count]}) for number in range(count)]
        waiting = [actor.answer.remote(self._work, text) for actor, text in zip(self._actors, texts, strict=True)]
        try:
            answers = self._ray.get(waiting, timeout=ASK_SECONDS)
        except Exception as error:  # of Ray's own kinds, or what nobody foresaw
            raise EngineError(f"a machine of the Ray cluster does not answer ({_last_line(str(error))})") from error
        return [finished(number, json.loads(answer)).value for number, answer in enumerate(answers)]

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors if self._ray.is_initialized() else ():
            self._ray.kill(actor)


def _perform(name: str, arguments: str, threads: int) -> str:
    """What Ray runs, somewhere; it gives JSON."""
    taken: list[int] = []
    answer = perform(name, json.loads(arguments), threads, taken.append)
    if "error" in answer:
        answer["error"] = f"on {socket.gethostname()}: {answer['error']}"
    return json.dumps({**answer, "steps": sum(taken)})


def _token() -> dict[str, str]:
    """A cluster whose head was started here has a token, which Ray sends when it is told to."""
    there = TOKEN.expanduser().is_file() or any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return {"RAY_AUTH_MODE": "token"} if there else {}


def _check(address: str) -> None:
    """Raise `SettingsError` or `EngineError`, within half a minute, where no Ray cluster answers at an address.

    Ray itself ends the process that asks in vain, after 80 seconds: so another process asks first.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        raise SettingsError(f"--address {address!r}: give the host and port of a Ray cluster's head, as 10.0.0.1:6379")
    no_answer = f"--address {address!r}: no Ray cluster answers there"
    way_out = "start one with: ray start --head --port 6379, or leave --address out to use this machine alone"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"{no_answer} ({getattr(error, 'strerror', None) or error}); {way_out}") from error
    try:
        asked = subprocess.run(
            [sys.executable, "-c", PROBE, address], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{no_answer} within {ANSWER_SECONDS:.0f} s; {way_out}") from error
    if "AuthenticationError" in asked.stderr:
        raise EngineError(
            f"--address {address!r}: the cluster asks for its token; copy its head's ~/.ray/auth_token to this machine"
        )
    if asked.returncode:
        raise EngineError(f"{no_answer} ({_last_line(asked.stderr)}); {way_out}")


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return " ".join(lines[-1].split())[:300] if lines else "it ended without a word"
