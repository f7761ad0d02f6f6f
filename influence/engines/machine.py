"""How many cores there are for pieces of work, and how long so many pieces take on them."""

import os

START_SECONDS = 6.0  # for a process to import PyTorch and read the data


def cores() -> int:
    """How many cores this process may use, as the system and OMP_NUM_THREADS say."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores_there(), int(asked)) if asked.isdecimal() and int(asked) else cores_there()


def cores_there() -> int:
    """How many cores the system lets this process run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy() -> float:
    """How many other processes have wanted a core, over the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def expected_seconds(runs: int, processor: float, cores: int, busy: float, there: int | None = None) -> float:
    """How long so many runs of so many seconds of one core each take on so many cores, `busy` others wanting them, too.

    Of the cores that are `there` (None: no more than that) whoever wants one gets as much as any other; starting up counts once.
    """
    processes, there = worth_processes(runs, processor, cores) or 1, there or cores
    share = min(1.0, there / (processes + busy))
    return START_SECONDS / min(1.0, there / (1 + busy)) + runs * processor / (processes * share)


def worth_processes(runs: int, seconds: float, cores: int) -> int:
    """How many processes finish so many runs of so many seconds soonest; 0: none, one run after another in this one.

    Fewer than two runs a core all start at once and share the cores; otherwise some cores would be idle at the end.
    """
    processes = runs if runs < 2 * cores else cores
    soonest = START_SECONDS + runs * seconds / max(min(runs, cores), 1)
    return processes if min(runs, cores) > 1 and soonest < runs * seconds else 0
