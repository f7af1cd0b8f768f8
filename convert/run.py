"""`python -m convert.run --all --workers 64`: turn downloads into shards."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

from cyclopts import App, Parameter, validators
from cyclopts.types import NonNegativeInt, PositiveInt
from rich.console import Console

from convert.config.config import default_config, load_config
from convert.engine.execute import Executor, open_executor
from convert.errors import ConfigError, ConvertError
from convert.image import transcode
from convert.job.choose import Choice, alone, choose, input_folder, output_folder
from convert.job.job import REFUSED, Outcome, convert
from convert.job.prepare import Job
from convert.job.progress import TerminalDisplay
from convert.job.report import by_source, over_budget, print_report
from convert.pillow import live_pillow
from convert.sources.files import DataRoot
from convert.sources.kinds import SOURCES
from shards.rle import KERNEL

_OK, _FAILED, _NOT_BEGUN, _INTERRUPTED = 0, 1, 2, 130
_SHOWN_FAILURES = 3

app = App(
    name="python -m convert.run",
    help_epilogue=(
        "Exit status: 0 all is well; 1 shards failed, or a source lost more photos than "
        "allowed; 2 nothing was begun, the message says why; 130 interrupted."
    ),
)
_Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())]
_Share = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1))]
_Flag = Annotated[bool, Parameter(negative=())]


@app.default
def run(  # noqa: PLR0913 - a command has the options it has
    *,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
    source: _Names = None,
    split: _Names = None,
    workers: NonNegativeInt | None = None,
    root: Path = Path("data"),
    out: Path = Path("shards-out"),
    config: Path | None = None,
    limit: PositiveInt | None = None,
    max_rejected: _Share | None = None,
    require_all: _Flag = False,
    retry_rejected: _Flag = False,
    exclude_eval_photos: _Flag = False,
    replace: _Flag = False,
    address: str | None = None,
    dashboard: _Flag = False,
) -> int:
    """Turn GLaMM's training data into WebDataset shards.

    The same command goes on where an interrupted run stopped.

    Parameters
    ----------
    all_
        Every source that is found below --root.
    source
        These sources.
    split
        Only these splits, such as train.
    workers
        Shards made at once, by Ray. 0 works in this process, without Ray. The default is one
        for each core.
    root
        The folder with the downloads, arranged as the guide says. It is only ever read.
    out
        The folder for the shards, which go to SOURCE/SPLIT/ below it.
    config
        What is converted and how. The default is this program's configs/glamm.yaml.
    limit
        Only so many photos of each split, to try things out.
    max_rejected
        Share of a source's photos that may be rejected before the run counts as failed, in
        place of the config's.
    require_all
        With --all: a source or split that is absent is an error.
    retry_rejected
        Make those shards again in which photos were rejected, once the files are repaired.
    exclude_eval_photos
        Leave photos out of train that some source evaluates on. Without it they are counted.
    replace
        Overwrite shards that another config or version made.
    address
        A Ray cluster that is already running, such as auto or ray://host:10001.
    dashboard
        Start Ray's web page too.
    """
    console = Console(stderr=True)
    try:
        if all_ == bool(source):
            raise ConfigError("say either --all or --source NAME ...")
        settings = load_config(config or default_config(), SOURCES)
        data = DataRoot(input_folder(root))
        choice = choose(settings, data, source, split)
        if require_all and choice.absent:
            raise ConfigError("\n".join(f"{name}: {why}" for name, why in choice.absent.items()))
        job = Job(
            config=settings,
            root=data,
            out=output_folder(out, data.path),
            sources=choice.sources,
            splits=frozenset(split) if split else None,
            limit=limit,
            replace=replace,
            retry_rejected=retry_rejected,
            exclude_eval=exclude_eval_photos,
        )
        count = len(os.sched_getaffinity(0)) if workers is None else workers
        with (
            alone(job.out),
            open_executor(count, address=address, dashboard=dashboard) as executor,
            _stoppable(),  # after Ray, which takes the signal for itself and aborts
            TerminalDisplay(console) as display,
        ):
            _print_header(console, job, choice, executor)
            outcome = convert(job, executor, display)
    except (ConvertError, ConnectionError) as error:
        _say(console, f"convert: {error}", "red")
        return _NOT_BEGUN
    except KeyboardInterrupt:
        _say(console, "stopped. Finished shards stay; the same command goes on from there.")
        return _INTERRUPTED
    return _report(console, job, outcome, max_rejected)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Take a polite request to end as Ctrl-C: schedulers send it some seconds before the end."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_header(console: Console, job: Job, choice: Choice, executor: Executor) -> None:
    _say(
        console,
        f"{job.root.path} -> {job.out}, {executor.workers} at a time, {live_pillow().describe()}, "
        f"{KERNEL} masks",
    )
    if not transcode.COMPILED:
        _say(console, "no convert.image._jpeg_transcode (needs libjpeg-dev): progressive and "
             "gray photos are encoded anew, with loss", "yellow")  # fmt: skip
    if executor.note:
        _say(console, executor.note, "yellow")
    for name, why in choice.absent.items():
        _say(console, f"ABSENT {name}: {why}", "yellow")


def _report(console: Console, job: Job, outcome: Outcome, max_rejected: float | None) -> int:
    width = None if sys.stdout.isatty() else 200
    print_report(Console(width=width), outcome.manifests)
    problems = [f"{plan.source}: {plan.kind}: {plan.refused}" for plan in outcome.refused]
    problems += [f"{name}: not finished, see below" for name in outcome.unfinished]
    for name, tally in by_source(outcome.manifests).items():
        limit = job.config.sources[name].handling.max_rejected
        why = over_budget(tally, limit if max_rejected is None else max_rejected)
        if why:
            problems.append(f"{name}: {why}")
        if tally.rejected:
            _say(console, f"{name}: the rejected photos are in {job.out / name}/*/*.{REFUSED}")
    problems += [f"{found.file}: {found.problem}; {found.remedy}" for found in outcome.damaged]
    problems += [failed.error for failed in outcome.failed[:_SHOWN_FAILURES]]
    if len(outcome.failed) > _SHOWN_FAILURES:
        problems.append(f"... and {len(outcome.failed) - _SHOWN_FAILURES} more failures")
    for problem in problems:
        _say(console, problem, "red")
    return _FAILED if problems else _OK


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(app())
