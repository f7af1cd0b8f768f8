"""Starting a Ray cluster on this machine, or joining one that is there. Is handed Ray itself."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_OBJECT_STORE = 80 * 2**20
"""Ray's minimum: no pixel ever goes through it."""
_CONNECT = 5.0
"""Seconds."""
_QUIET = {"logging_level": "ERROR", "log_to_driver": False}


def start_here(ray: Any, workers: int, *, dashboard: bool) -> None:
    """Start a cluster of its own on this machine, with as many CPUs as are asked for and there."""
    with _out_of_reach():
        ray.init(
            address="local",
            num_cpus=min(workers, len(os.sched_getaffinity(0))),
            object_store_memory=_OBJECT_STORE,
            include_dashboard=dashboard,
            **_QUIET,
        )


@contextmanager
def _out_of_reach() -> Iterator[None]:
    """Start Ray's processes so that a signal to the whole group stops us, and we stop them.

    Ray shields them from Ctrl-C but not from a scheduler's SIGTERM, which would take the cluster
    from under us; a blocked signal stays blocked in children. Ray also moves us to a process group
    of our own, where a terminal's Ctrl-C no longer finds us.
    """
    group = os.getpgrp()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if os.getpgrp() != group:
            os.setpgid(0, group)


def join(ray: Any, address: str) -> None:
    """Connect to a cluster, and bring this program along: its nodes may have none, or another.

    Raises:
        ConnectionError: if nobody answers, or the answer is no.
    """
    _expect_listener(address)
    packages = [str(Path(__file__).parent.parent.parent / name) for name in ("convert", "shards")]
    try:
        ray.init(address=address, runtime_env={"py_modules": packages}, **_QUIET)
    except (ray.exceptions.RayError, RuntimeError, ValueError) as error:
        raise ConnectionError(f"--address {address}: {error}") from error


def _expect_listener(address: str) -> None:
    """Fail within seconds where Ray itself would try for ten minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto` and the like: Ray finds it, or says so at once
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT).close()
    except OSError as error:
        raise ConnectionError(
            f"--address {address}: {error}; expected a Ray cluster there, as `ray start --head` "
            f"prints it"
        ) from error


def present_token() -> None:
    """Show the cluster our token if we have one; a cluster that wants none does not mind.

    `ray start` asks for a token where one exists, but a driver that is given an address does not
    present it by itself.
    """
    if "RAY_AUTH_TOKEN" in os.environ or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
