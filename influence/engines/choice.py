"""The engine that a command was told to use."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from influence.errors import SettingsError

if TYPE_CHECKING:  # the command line's help needs none of it
    from influence.engines.engine import Engine

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)


@contextmanager
def chosen(name: str = LOCAL, address: str | None = None, device: str = "auto") -> Iterator["Engine | None"]:
    """The engine of a name; None for this machine, where whoever has the work knows best how to share it out.

    `address` is that of a Ray cluster's head, as host:port (None: Ray on this machine alone). Raises `SettingsError` for an
    address without Ray, or a device that no machine of it has, and `EngineError` where Ray is not installed or does not answer.
    """
    if name == RAY:
        from influence.engines.cluster import Cluster  # Ray is imported by those who want it

        with Cluster(address, device) as cluster:
            yield cluster
    elif address is not None:
        raise SettingsError(f"--address {address!r} is that of a Ray cluster; it goes with --engine ray")
    else:
        yield None
