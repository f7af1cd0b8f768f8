"""Run a function over many tasks, here or on a Ray cluster. The only module that knows Ray.

It knows nothing of shards or sources. Failures come back as values: an exception that crosses
processes must be picklable, and a task's own exception need not be.
"""

import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from convert.engine.cluster import join, present_token, start_here

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 3
"""Of a task whose worker or node died. Its own exceptions are not retried: they would recur."""
_POLL = 1.0


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """The task returned."""

    task: T
    result: R


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    """The task raised, or its worker died again and again."""

    task: T
    error: str


class Executor(Protocol):
    """Somewhere to run tasks."""

    workers: int
    """How many run at once."""
    note: str
    """What the person who asked should know about that; "" if nothing."""

    def execute(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[Done[T, R] | Failed[T]]:
        """Yield one outcome per task, in order of completion. Never raises for a task.

        Args:
            function: picklable and idempotent: the task of a lost worker runs again.
            tasks: each is sent to one worker; taken lazily, so a plan may be a generator.
        """
        ...


@contextmanager
def open_executor(
    workers: int, *, address: str | None = None, dashboard: bool = False
) -> Iterator[Executor]:
    """An executor for as long as the block lasts; leaving it stops what still runs.

    Args:
        workers: tasks in flight at once; 0 runs them one by one in this process, without Ray.
        address: of a Ray cluster that is already there; None starts one on this machine.
        dashboard: whether a cluster started here gets Ray's web page.

    Raises:
        ConnectionError: if there is no cluster at the address.
    """
    if workers == 0:
        yield _Here()
        return
    if address is None:
        ray = _import_ray()
        start_here(ray, workers, dashboard=dashboard)
    else:
        present_token()
        ray = _import_ray()
        join(ray, address)
    try:
        yield _OnRay(ray, workers)
    finally:
        ray.shutdown()


class _Here:
    workers = 1
    note = ""

    def execute(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[Done[T, R] | Failed[T]]:
        return (_attempt(function, task) for task in tasks)


class _OnRay:
    def __init__(self, ray: Any, workers: int) -> None:
        self._ray = ray
        self._asked = workers
        self.workers = self._room()
        self.note = ""
        if self.workers < workers:
            self.note = (
                f"{workers} workers were asked for, the cluster has {self.workers} CPUs: "
                f"{self.workers} work at a time"
            )

    def _room(self) -> int:
        """Tasks to keep in flight now; a cluster may grow and shrink while it works."""
        return max(1, min(self._asked, int(self._ray.cluster_resources().get("CPU", 1))))

    def execute(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[Done[T, R] | Failed[T]]:
        ray, waiting = self._ray, iter(tasks)
        attempt = ray.remote(num_cpus=1, max_retries=RETRIES)(_attempt)
        shared = ray.put(function)
        running: dict[Any, T] = {}
        while True:
            for task in islice(waiting, max(0, self._room() - len(running))):
                running[attempt.remote(shared, task)] = task
            if not running:
                return
            # A bounded wait: a signal is then seen within a second, whatever Ray does.
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
    except Exception:  # noqa: BLE001 - the boundary of a task: our own bugs become values here
        return Failed(task, traceback.format_exc())


def _import_ray() -> Any:
    # Before the import: Ray reads them then.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    return ray
