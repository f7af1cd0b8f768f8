"""Do the waiting of the next few tasks while this one is worked on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


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
        threads: how many wait at once; twice as many results are kept at the most.
        weigh: bytes of a result.
        budget: of the finished results that wait to be taken; no task is begun above it.
    """
    waiting = iter(tasks)
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                room = 2 * threads - len(pending)
                if pending and _weight(pending, weigh) > budget:
                    room = 0
                pending.extend(pool.submit(function, task) for task in islice(waiting, room))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _weight(pending: Iterable[Future[R]], weigh: Callable[[R], int]) -> int:
    finished = (future for future in pending if future.done() and not future.exception())
    return sum(weigh(future.result()) for future in finished)
