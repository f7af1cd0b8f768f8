"""Ways that run stock Pillow, which needs another environment than pillow-simd."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import IO

from bench.harness.measure import Ways, say
from convert.image.policy import ImagePolicy

STOCK = "stock Pillow"
_SCRIPT = Path(__file__).parent.parent / "peers" / "stock_pillow.py"


class _Other:
    """A process with another Pillow; a call makes it convert all photos."""

    def __init__(self, process: Popen[str]) -> None:
        self._requests, self._replies = _pipe(process.stdin), _pipe(process.stdout)
        say(f"the other interpreter has {self._replies.readline().strip()}")

    def __call__(self) -> None:
        self._requests.write("all\n")
        self._requests.flush()
        if self._replies.readline() != "done\n":
            raise SystemExit("the process with stock Pillow ended early")


def _pipe(end: IO[str] | None) -> IO[str]:
    if end is None:
        raise SystemExit("no pipe to the other interpreter")
    return end


@contextmanager
def stock_pillow(
    python: Path | None, photos: Sequence[bytes], policy: ImagePolicy
) -> Iterator[Ways]:
    """Ways that run another interpreter's Pillow, each in its own process; none without one."""
    if python is None:
        yield {}
        return
    with TemporaryDirectory() as folder, ExitStack() as stack:
        for number, data in enumerate(photos):
            Path(folder, f"{number:03d}.jpg").write_bytes(data)
        command = [str(python), str(_SCRIPT), folder, str(policy.longest_side), str(policy.quality)]
        ways: dict[str, Callable[[], object]] = {}
        for name, more in ((STOCK, []), (f"{STOCK}, draft", ["draft"])):
            process = Popen([*command, *more], stdin=PIPE, stdout=PIPE, text=True)  # noqa: S603 - the user's own interpreter
            stack.enter_context(process)
            stack.callback(process.kill)
            ways[name] = _Other(process)
        yield ways
