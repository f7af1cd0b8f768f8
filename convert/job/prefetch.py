"""Results of a function over many tasks, the next few computed in threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MAX_GROUP = 16
"""Tasks of one group, where results are small. Waking a thread takes as long as reading a small
photo, and the thread must then wait for this one to release the interpreter."""
_PENDING_SHARE = 4
"""All pending groups together may hold one part in so many of the budget, by the sizes so far."""


@dataclass(frozen=True, slots=True)
class _Group(Generic[T, R]):
    """Tasks for one thread, and the results so far."""

    tasks: Sequence[T]
    results: list[R] = field(default_factory=list)

    def run(self, function: Callable[[T], R]) -> None:
        for task in self.tasks:
            self.results.append(function(task))


def prefetch(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    threads: int,
    size_of: Callable[[R], int],
    budget: int,
) -> Iterator[R]:
    """Yield `function(task)` for each task, in order, while threads work on the next tasks.

    Args:
        function: waits for a disk or a network most of the time. An exception that it raises is
            raised here when its task's turn comes.
        tasks: taken by the calling thread, when threads are free.
        threads: at most twice as many groups of tasks are pending.
        size_of: bytes of a result.
        budget: bytes. No task is started while the finished results exceed it.
    """
    pending: deque[tuple[_Group[T, R], Future[None]]] = deque()
    waiting, length, max_pending = iter(tasks), 1, 2 * threads
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                while len(pending) < max_pending and _total(pending, size_of) <= budget:
                    group: _Group[T, R] = _Group(tuple(islice(waiting, length)))
                    if not group.tasks:
                        break
                    pending.append((group, pool.submit(group.run, function)))
                if not pending:
                    return
                group, future = pending.popleft()
                future.exception()  # waits; results before the exception are yielded first
                yield from group.results
                future.result()
                largest = max(map(size_of, group.results)) or 1
                fitting = budget // (_PENDING_SHARE * max_pending * largest)
                length = max(1, min(_MAX_GROUP, 2 * length, fitting))
        finally:
            for _, future in pending:
                future.cancel()


def _total(
    pending: Iterable[tuple[_Group[T, R], Future[None]]], size_of: Callable[[R], int]
) -> int:
    return sum(size_of(result) for group, _ in pending for result in tuple(group.results))
