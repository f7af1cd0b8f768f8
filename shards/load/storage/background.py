"""Work that few threads do while others are served."""

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
    """Names that few daemon threads work through; the threads end when there is nothing left."""

    def __init__(self, work: Callable[[str, Event], None], most: int) -> None:
        """Begin with none.

        Args:
            work: what is to be done about a name; it should end soon when the event is set.
            most: threads.
        """
        self._work, self._most = work, most
        self.forget()
        _of_this_process.add(self)

    def forget(self) -> None:
        """Forget all names and threads."""
        self._names: deque[str] = deque()
        self._threads: list[Thread] = []
        self._lock, self._stop = Lock(), Event()

    def add(self, names: Sequence[str]) -> None:
        """Work through these as well, after those that are waiting."""
        with self._lock:
            self._names.extend(names)
            for _ in range(min(len(self._names), self._most - len(self._threads))):
                thread = Thread(target=self._run, args=(self._stop,), daemon=True)
                thread.name = "shards-ahead"
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads here; what is there goes on
                    _log.warning("cannot read ahead of use: %s", error)
                    if not self._threads:
                        self._names.clear()
                    return
                self._threads.append(thread)

    def stop(self, patience: float = 5.0) -> None:
        """Drop what is waiting, and wait at most some seconds for what was begun."""
        with self._lock:
            self._stop.set()
            threads = self._threads
            self.forget()
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
    """In a forked child there are no threads, and locks may be held by those there were."""
    for each in list(_of_this_process):
        each.forget()


def _end() -> None:
    """Threads that wake up while the interpreter goes down would crash it."""
    for each in list(_of_this_process):
        each.stop()


os.register_at_fork(after_in_child=_begin_child)
atexit.register(_end)
