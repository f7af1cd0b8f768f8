"""The progress of a run: moving bars on a terminal, or plain lines in a log."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_LINE_INTERVAL = 10.0
"""Least number of seconds between two lines of a log."""


@dataclass(slots=True)
class Meter:
    """The progress of one source.

    Attributes:
        started: seconds of a monotonic clock when its first shard was handed out.
    """

    shards: int
    images: int
    started: float = 0.0
    shards_done: int = 0
    images_done: int = 0
    bytes_done: int = 0

    def add(self, images: int, bytes_in: int) -> None:
        """Count one finished shard."""
        self.shards_done += 1
        self.images_done += images
        self.bytes_done += bytes_in

    def describe(self, now: float) -> str:
        """Shards, images, rates and time left.

        >>> meter = Meter(shards=4, images=4000, started=100.0)
        >>> meter.add(1000, 160_000_000)
        >>> meter.describe(110.0)
        '1/4 shards  1,000/4,000 images  100.0 images/s  16.0 MB/s in  0:30 left'
        """
        text = f"{self.shards_done}/{self.shards} shards  "
        text += f"{self.images_done:,}/{self.images:,} images"
        if not self.images_done:
            return text
        seconds = max(now - self.started, 1e-9)
        rate = self.images_done / seconds
        left = (self.images - self.images_done) / rate
        text += f"  {rate:,.1f} images/s  {self.bytes_done / 1e6 / seconds:,.1f} MB/s in  "
        return text + (f"{clock(left)} left" if left else f"took {clock(seconds)}")


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> clock(3725), clock(65)
    ('1:02:05', '1:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display(Protocol):
    """Shows the progress of a run."""

    def expect(self, source: str, shards: int, images: int) -> None:
        """Announce the work on a source."""

    def start(self, source: str) -> None:
        """Start the clock of a source: its first shard is handed out."""

    def add(self, source: str, images: int, bytes_in: int) -> None:
        """Count one finished shard."""

    def log(self, line: str) -> None:
        """Show a line of text."""


class TerminalDisplay:
    """Shows progress on a console. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._meters: dict[str, Meter] = {}
        self._bars: dict[str, TaskID] = {}
        self._last_line = 0.0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def expect(self, source: str, shards: int, images: int) -> None:
        """Announce the work on a source."""
        self._meters[source] = Meter(shards, images)
        state = self._meters[source].describe(0.0)
        self._bars[source] = self._progress.add_task(source, False, images, state=state)  # noqa: FBT003

    def start(self, source: str) -> None:
        """Start the clock of a source."""
        self._meters[source].started = time.monotonic()
        self._progress.start_task(self._bars[source])

    def add(self, source: str, images: int, bytes_in: int) -> None:
        """Move the bar of a source; in a log, print a line at most every ten seconds."""
        now = time.monotonic()
        meter = self._meters[source]
        meter.add(images, bytes_in)
        state = meter.describe(now)
        self._progress.update(self._bars[source], completed=meter.images_done, state=state)
        due = meter.shards_done == meter.shards or now - self._last_line >= _LINE_INTERVAL
        if self._progress.disable and due:
            self._last_line = now
            self.log(f"{source:<20}  {state}")

    def log(self, line: str) -> None:
        """Print a line, above the bars if there are any."""
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
