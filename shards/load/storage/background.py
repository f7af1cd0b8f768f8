"""Work that a few daemon threads do in the background."""

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread, current_thread
from weakref import WeakSet

_log = logging.getLogger("shards.load")


class Background:
    """A queue of names that a few daemon threads process; the threads end when it is empty."""

    def __init__(self, work: Callable[[str, Event], None], threads: int) -> None:
        """Start with an empty queue and no thread.

        Args:
            work: processes a name; it should return soon after the event is set.
            threads: how many, at most.
        """
        self._work, self._most = work, threads
        self.reset()
        _of_this_process.add(self)

    def reset(self) -> None:
        """Forget all names and threads."""
        self._names: deque[str] = deque()
        self._threads: list[Thread] = []
        self._lock, self._stop = Lock(), Event()

    def add(self, names: Sequence[str]) -> None:
        """Process these names as well, after those that are waiting."""
        with self._lock:
            self._names.extend(names)
            for _ in range(min(len(self._names), self._most - len(self._threads))):
                thread = Thread(target=self._run, args=(self._stop,), daemon=True)
                thread.name = "shards-prefetch"
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads; those that run continue
                    _log.warning("cannot prefetch: %s", error)
                    if not self._threads:
                        self._names.clear()
                    return
                self._threads.append(thread)

    def stop(self, patience: float = 5.0) -> None:
        """Drop the names that are waiting; wait up to `patience` seconds for those in progress."""
        with self._lock:
            self._stop.set()
            threads = self._threads
            self.reset()
        end = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self, stop: Event) -> None:
        while (name := self._next(stop)) is not None:
            self._work(name, stop)

    def _next(self, stop: Event) -> str | None:
        with self._lock:
            if stop.is_set():
                return None
            if self._names:
                return self._names.popleft()
            self._threads.remove(current_thread())
            return None


_of_this_process: WeakSet[Background] = WeakSet()


def _begin_child() -> None:
    """After a fork, the child has no threads, and its copies of their locks may be held."""
    for each in list(_of_this_process):
        each.reset()


def _end() -> None:
    """Threads that run while the interpreter shuts down would crash it."""
    for each in list(_of_this_process):
        each.stop()


os.register_at_fork(after_in_child=_begin_child)
atexit.register(_end)
