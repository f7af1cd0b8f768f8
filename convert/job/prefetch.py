"""Do the waiting of the next few tasks while this one is worked on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_LONGEST = 16
"""Tasks that a thread is given at once, where results are small: being woken takes a thread as long
as reading a small photo does, and this thread has to wait for it to let go of the interpreter."""
_SHARE = 4
"""Of the budget, what all that is begun may come to by what results weighed so far: a quarter."""


@dataclass(frozen=True, slots=True)
class _Group(Generic[T, R]):
    """Tasks for one thread, and the results of those that are done."""

    tasks: Sequence[T]
    results: list[R] = field(default_factory=list)

    def work(self, function: Callable[[T], R]) -> None:
        for task in self.tasks:
            self.results.append(function(task))


def ahead(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    threads: int,
    weigh: Callable[[R], int],
    budget: int,
) -> Iterator[R]:
    """Yield `function(task)` in the order of the tasks, some of them begun early, in threads.

    Args:
        function: mostly waits, for a disk or a network; what it raises is raised here, in its turn.
        tasks: taken in this thread, and no sooner than needed.
        threads: how many wait at once; twice as many groups of results are kept at the most.
        weigh: bytes of a result.
        budget: of the finished results that wait to be taken; no task is begun above it.
    """
    waiting = iter(tasks)
    pending: deque[tuple[_Group[T, R], Future[None]]] = deque()
    length, room = 1, 2 * threads
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                while len(pending) < room and not (pending and _weight(pending, weigh) > budget):
                    group: _Group[T, R] = _Group(tuple(islice(waiting, length)))
                    if not group.tasks:
                        break
                    pending.append((group, pool.submit(group.work, function)))
                if not pending:
                    return
                group, future = pending.popleft()
                future.exception()  # waits; those done before it failed come first
                yield from group.results
                future.result()
                heaviest = max(map(weigh, group.results))
                length = max(
                    1, min(_LONGEST, 2 * length, budget // (_SHARE * room * (heaviest or 1)))
                )
        finally:
            for _, future in pending:
                future.cancel()


def _weight(pending: Iterable[tuple[_Group[T, R], Future[None]]], weigh: Callable[[R], int]) -> int:
    return sum(weigh(result) for group, _ in pending for result in tuple(group.results))
