"""Run a function over many tasks, in this process or on a Ray cluster.

Failures are returned as values: the exception of a task may not be picklable, so it cannot be sent
to another process.
"""

import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from convert.engine.cluster import join, send_token, start_local

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 3
"""Retries of a task whose worker or node died. A task that raises is not retried: it would raise
again."""
_POLL = 1.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """The task returned."""

    task: T
    result: R


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    """The task raised, or lost its worker in every retry."""

    task: T
    error: str


class Executor(Protocol):
    """Runs tasks."""

    workers: int
    """Number of tasks that run at once."""
    note: str
    """Why this number is not the requested one; "" if it is."""

    def execute(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[Done[T, R] | Failed[T]]:
        """Yield one outcome per task, in order of completion. An exception is one, too.

        Args:
            function: picklable and idempotent: the task of a lost worker runs again.
            tasks: consumed lazily, so that a generator may prepare them.
        """
        ...


@contextmanager
def open_executor(
    workers: int, *, address: str | None = None, dashboard: bool = False
) -> Iterator[Executor]:
    """An executor. Leaving the block stops the tasks that still run.

    Args:
        workers: number of parallel tasks; 0 runs them one by one in this process, without Ray.
        address: of a running Ray cluster; None starts one on this machine.
        dashboard: whether a cluster that is started here gets Ray's dashboard.

    Raises:
        ConnectionError: if there is no Ray cluster at the address.
    """
    if workers == 0:
        yield _InProcess()
        return
    if address is None:
        ray = _import_ray()
        start_local(ray, workers, dashboard=dashboard)
    else:
        send_token()
        ray = _import_ray()
        join(ray, address)
    try:
        yield _OnRay(ray, workers)
    finally:
        ray.shutdown()


class _InProcess:
    workers = 1
    note = ""

    def execute(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[Done[T, R] | Failed[T]]:
        return (_attempt(function, task) for task in tasks)


class _OnRay:
    def __init__(self, ray: Any, workers: int) -> None:
        self._ray = ray
        self._requested = workers
        self.workers = self._capacity()
        self.note = ""
        if self.workers < workers:
            self.note = (
                f"{workers} workers were requested, but the cluster has {self.workers} CPUs: "
                f"{self.workers} tasks run at a time"
            )

    def _capacity(self) -> int:
        """Number of tasks to run now: a cluster may grow and shrink during the run."""
        return max(1, min(self._requested, int(self._ray.cluster_resources().get("CPU", 1))))

    def execute(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[Done[T, R] | Failed[T]]:
        ray, waiting = self._ray, iter(tasks)
        attempt = ray.remote(num_cpus=1, max_retries=RETRIES)(_attempt)
        shared = ray.put(function)
        running: dict[Any, T] = {}
        while True:
            for task in islice(waiting, max(0, self._capacity() - len(running))):
                running[attempt.remote(shared, task)] = task
            if not running:
                return
            # A bounded wait, so that a signal is handled within a second.
            finished, _ = ray.wait(list(running), num_returns=1, timeout=_POLL)
            for reference in finished:
                yield self._outcome(reference, running.pop(reference))

    def _outcome(self, reference: Any, task: T) -> Done[T, Any] | Failed[T]:
        try:
            outcome: Done[T, Any] | Failed[T] = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Failed(task, f"its worker was lost {RETRIES + 1} times: {error}")
        return outcome


def _attempt(function: Callable[[T], R], task: T) -> Done[T, R] | Failed[T]:
    try:
        return Done(task, function(task))
    except Exception:  # noqa: BLE001 - the boundary of a task: bugs become values here
        return Failed(task, traceback.format_exc())


def _import_ray() -> Any:
    # Ray reads these variables when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    return ray
