"""A connection to a Ray cluster, or to a Ray of its own on this machine."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rag.errors import ClusterError, ConfigError, MissingExtra, PlumbError
from rag.settings import Settings

LOOPBACK = "127.0.0.1"
ERROR_CHARS = 300
# Read by Ray when it is imported or started. It reports nothing to its maker.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
# Without clusters across machines, as Ray has it, it listens on the loopback alone.
ONE_MACHINE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@contextmanager
def connected(settings: Settings) -> Iterator[Any]:
    """The package `ray`, connected for the block; a connection that was there before stays.

    Raises MissingExtra, and ClusterError for whatever goes wrong in it.
    """
    address = settings.ingest.ray.address or os.environ.get("RAY_ADDRESS", "")
    _set_environment(address)
    ray = _imported()
    was_connected = ray.is_initialized()
    with translated(ray), _own_folder() as folder:
        try:
            if not was_connected:
                _start(ray, address, settings.ingest.ray.timeout_s, folder)
            yield ray
        finally:
            if not was_connected:
                ray.shutdown()


@contextmanager
def translated(ray: Any) -> Iterator[None]:
    """Ray's errors as the error of ours that a worker raised, or as ClusterError."""
    try:
        yield
    except (PlumbError, ray.exceptions.RayError, OSError) as error:
        raise _told(error) from None


def _set_environment(address: str) -> None:
    is_here = address.rpartition("://")[2].rpartition(":")[0] in (LOOPBACK, "localhost")
    wanted = QUIET | (ONE_MACHINE if is_here or not address else {}) | ({} if address else _own())
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _own() -> dict[str, str]:
    """Other users of this machine may not hand work to our Ray; of itself it would leave the token where they read."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _imported() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra(
            f"--engine ray needs a package that is not there: {error.name}",
            expected="the extra 'ray'",
            remedy="pip install 'plumbline-rag[ray]'",
        ) from None
    return ray


@contextmanager
def _own_folder() -> Iterator[str]:
    """For what a Ray of our own writes, logs and texts: below a folder of ours, as Ray opens its own to everybody."""
    with tempfile.TemporaryDirectory(prefix="plumb-", ignore_cleanup_errors=True) as private:
        yield f"{private}/ray"


def _start(ray: Any, address: str, timeout_s: float, folder: str) -> None:
    # The run tells its progress and its error itself.
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    common = {"log_to_driver": False, "configure_logging": False}
    # A worker of each kind must find a place.
    own = {"num_cpus": max(2, os.cpu_count() or 0), "include_dashboard": False, "_temp_dir": folder}
    _knock(address, timeout_s)
    try:
        ray.init(address=address or "local", **common, **({} if address else own))
    except (RuntimeError, ValueError) as error:
        # Another version of Ray or Python, or something that is no address.
        raise _failed(" ".join(str(error).split())) from None


def _knock(address: str, timeout_s: float) -> None:
    """Raise OSError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()


def _told(error: BaseException) -> PlumbError:
    ours = next((seen for seen in _chain(error) if type(seen).__module__ == PlumbError.__module__), None)
    if isinstance(ours, PlumbError):
        return ours
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return _failed(lines[-1])


def _failed(what: str) -> ClusterError:
    return ClusterError(
        f"the Ray cluster failed or can't be reached: {what[:ERROR_CHARS]}",
        expected="a running cluster with this version of plumbline-rag and Ray on every node",
        remedy="check ingest.ray.address and 'ray status'; then run it again, it goes on where it was",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it; Ray wraps what a worker raised, sometimes more than once."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = getattr(seen, "cause", None) or seen.__cause__


def nodes(ray: Any) -> Mapping[str, int]:
    """The CPUs of the cluster by node, those without any left out. Raises ConfigError where there are none."""
    alive = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]}
    found = {node: cpus for node, cpus in alive.items() if cpus}
    if sum(found.values()) < 2:
        raise ConfigError(
            f"the Ray cluster has {sum(found.values())} CPUs",
            expected="at least two: one that parses, one that embeds",
            remedy="add a node, or start its nodes with --num-cpus",
        )
    return found
