"""Start a Ray cluster on this machine, or join a running one.

The caller passes the module `ray`: it sets environment variables before it imports Ray.
"""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_OBJECT_STORE = 80 * 2**20
"""Bytes, Ray's minimum: no photo is sent through the object store."""
_CONNECT_TIMEOUT = 5.0
"""Seconds."""
_QUIET = {"logging_level": "ERROR", "log_to_driver": False}


def start_local(ray: Any, workers: int, *, dashboard: bool) -> None:
    """Start a cluster on this machine, with one CPU per worker, as far as there are CPUs."""
    with _shielded_from_signals():
        ray.init(
            address="local",
            num_cpus=min(workers, len(os.sched_getaffinity(0))),
            object_store_memory=_OBJECT_STORE,
            include_dashboard=dashboard,
            **_QUIET,
        )


@contextmanager
def _shielded_from_signals() -> Iterator[None]:
    """Start Ray's processes so that a signal to the process group stops only this process.

    This process then stops Ray's. Ray protects its processes from Ctrl-C but not from a scheduler's
    SIGTERM; a signal that is blocked here stays blocked in child processes. Ray also moves this
    process to a new process group, where a terminal's Ctrl-C does not reach it: it is moved back.
    """
    group = os.getpgrp()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        if os.getpgrp() != group:
            os.setpgid(0, group)


def join(ray: Any, address: str) -> None:
    """Connect to a cluster and send it this program: its nodes may have none, or another version.

    Raises:
        ConnectionError: if there is no cluster at the address, or it refuses the connection.
    """
    _expect_listener(address)
    packages = [str(Path(__file__).parent.parent.parent / name) for name in ("convert", "shards")]
    try:
        ray.init(address=address, runtime_env={"py_modules": packages}, **_QUIET)
    except (ray.exceptions.RayError, RuntimeError, ValueError) as error:
        raise ConnectionError(f"--address {address}: {error}") from error


def _expect_listener(address: str) -> None:
    """Fail within seconds if nothing listens at the address; Ray would retry for ten minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto` and the like: Ray finds the cluster, or fails at once
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT).close()
    except OSError as error:
        raise ConnectionError(
            f"--address {address}: {error}; expected a Ray cluster there, as `ray start --head` "
            f"prints it"
        ) from error


def send_token() -> None:
    """Make Ray send the token of this machine, if it has one.

    `ray start` requires a token if there is one, but a driver that gets an address does not send it
    by default. A cluster without a token ignores it.
    """
    if "RAY_AUTH_TOKEN" in os.environ or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
