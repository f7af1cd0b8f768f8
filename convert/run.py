"""`python -m convert.run --all --workers 64`: convert the downloads into shards."""

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

from convert.config.config import Config, default_config, load_config
from convert.engine.execute import Executor, open_executor
from convert.errors import ConfigError, ConvertError
from convert.image import transcode
from convert.job.choose import (
    Choice,
    choose_sources,
    exclusive_output,
    input_folder,
    output_folder,
)
from convert.job.job import Outcome, convert
from convert.job.prepare import Job
from convert.job.progress import TerminalDisplay
from convert.job.report import by_source, over_budget, print_report
from convert.pillow import live_pillow
from convert.sources.files import DataRoot
from convert.sources.kinds import SOURCES
from shards.rle import KERNEL
from shards.storage import REJECTS

_OK, _FAILED, _NOT_STARTED, _INTERRUPTED = 0, 1, 2, 130
_MAX_FAILURES = 3

app = App(
    name="python -m convert.run",
    help_epilogue=(
        "Exit status: 0 success; 1 shards failed, or too many photos of a source were rejected; "
        "2 nothing was converted, the message says why; 130 interrupted."
    ),
)
_Every = Annotated[
    bool,
    Parameter(name="--all", negative=(), help="Convert every source that is found below --root."),
]
_Sources = Annotated[
    list[str] | None,
    Parameter(consume_multiple=True, negative=(), help="Convert these sources."),
]
_Splits = Annotated[
    list[str] | None,
    Parameter(consume_multiple=True, negative=(), help="Convert only these splits, such as train."),
]
_Workers = Annotated[
    NonNegativeInt | None,
    Parameter(
        help="Number of shards to convert in parallel, with Ray. 0 converts in this process, "
        "without Ray. Default: one per CPU core."
    ),
]
_Root = Annotated[
    Path,
    Parameter(
        help="The folder with the downloads, arranged as in the guide. It is never written to."
    ),
]
_Out = Annotated[
    Path,
    Parameter(help="The folder for the shards. They are written to SOURCE/SPLIT/ below it."),
]
_ConfigFile = Annotated[
    Path | None, Parameter(help="The config file. Default: the shipped configs/glamm.yaml.")
]
_Limit = Annotated[
    PositiveInt | None,
    Parameter(help="Convert at most this many photos of each split, for a trial run."),
]
_MaxRejected = Annotated[
    float | None,
    Parameter(
        validator=validators.Number(gte=0, lte=1),
        help="Fraction of a source's photos that may be rejected before the run fails. Replaces "
        "the values in the config.",
    ),
]
_RequireAll = Annotated[
    bool, Parameter(negative=(), help="With --all: fail if a source or split is missing.")
]
_RetryRejected = Annotated[
    bool,
    Parameter(
        negative=(),
        help="Convert shards with rejected photos again, after their files were repaired.",
    ),
]
_ExcludeEval = Annotated[
    bool,
    Parameter(
        negative=(),
        help="Drop photos from train that are in an evaluation split of some source. Without "
        "this option they are only counted.",
    ),
]
_Replace = Annotated[
    bool,
    Parameter(negative=(), help="Overwrite shards that were made with another config or version."),
]
_Address = Annotated[
    str | None,
    Parameter(help="Address of a running Ray cluster, such as auto or ray://host:10001."),
]
_Dashboard = Annotated[bool, Parameter(negative=(), help="Start Ray's dashboard, too.")]


@app.default
def run(  # noqa: PLR0913 - a command has the options it has
    *,
    all_: _Every = False,
    source: _Sources = None,
    split: _Splits = None,
    workers: _Workers = None,
    root: _Root = Path("data"),
    out: _Out = Path("shards-out"),
    config: _ConfigFile = None,
    limit: _Limit = None,
    max_rejected: _MaxRejected = None,
    require_all: _RequireAll = False,
    retry_rejected: _RetryRejected = False,
    exclude_eval_photos: _ExcludeEval = False,
    replace: _Replace = False,
    address: _Address = None,
    dashboard: _Dashboard = False,
) -> int:
    """Convert GLaMM's training data into WebDataset shards.

    Run the same command again to resume an interrupted run where it stopped.
    """
    console = Console(stderr=True)
    try:
        if all_ == bool(source):
            raise ConfigError("add either --all or --source NAME ...")
        settings, data = load_config(config or default_config(), SOURCES), input_folder(root)
        choice = _choose(settings, DataRoot(data), source, split, require_all=require_all)
        job = Job(settings, DataRoot(data), output_folder(out, data), choice.sources,
                  frozenset(split) if split else None, limit, replace=replace,
                  retry_rejected=retry_rejected, exclude_eval=exclude_eval_photos)  # fmt: skip
        outcome = _convert(console, job, choice, workers, address, dashboard=dashboard)
    except (ConvertError, ConnectionError) as error:
        _print(console, f"convert: {error}", "red")
        return _NOT_STARTED
    except KeyboardInterrupt:
        _print(console, "interrupted; finished shards are kept. Run the same command to resume.")
        return _INTERRUPTED
    return _report(console, job, outcome, max_rejected)


def _choose(
    settings: Config,
    data: DataRoot,
    source: list[str] | None,
    split: list[str] | None,
    *,
    require_all: bool,
) -> Choice:
    choice = choose_sources(settings, data, source, split)
    if require_all and choice.absent:
        raise ConfigError("\n".join(f"{name}: {why}" for name, why in choice.absent.items()))
    return choice


def _convert(  # noqa: PLR0913 - three of them are options of the command
    console: Console,
    job: Job,
    choice: Choice,
    workers: int | None,
    address: str | None,
    *,
    dashboard: bool,
) -> Outcome:
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    with (
        exclusive_output(job.out),
        open_executor(count, address=address, dashboard=dashboard) as executor,
        _interrupt_on_sigterm(),  # after Ray, whose own handler of the signal aborts
        TerminalDisplay(console) as display,
    ):
        _print_header(console, job, choice, executor)
        return convert(job, executor, display)


@contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C: a scheduler sends it some seconds before it kills the job."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _print_header(console: Console, job: Job, choice: Choice, executor: Executor) -> None:
    _print(
        console,
        f"{job.root.path} -> {job.out}, {executor.workers} workers, {live_pillow().describe()}, "
        f"{KERNEL} masks",
    )
    if not transcode.COMPILED:
        _print(console, "convert.image._jpeg_transcode is not compiled (it needs libjpeg-dev): "
               "progressive and gray photos are re-encoded, with loss", "yellow")  # fmt: skip
    if executor.note:
        _print(console, executor.note, "yellow")
    for name, why in choice.absent.items():
        _print(console, f"ABSENT {name}: {why}", "yellow")


def _report(console: Console, job: Job, outcome: Outcome, max_rejected: float | None) -> int:
    width = None if sys.stdout.isatty() else 200
    print_report(Console(width=width), outcome.manifests)
    problems = [f"{plan.source}: {plan.kind}: {plan.refused}" for plan in outcome.refused]
    problems += [f"{name}: not finished; the errors follow" for name in outcome.unfinished]
    for name, tally in by_source(outcome.manifests).items():
        limit = job.config.sources[name].options.max_rejected
        why = over_budget(tally, limit if max_rejected is None else max_rejected)
        if why:
            problems.append(f"{name}: {why}")
        if tally.rejected:
            _print(console, f"{name}: the rejected photos are in {job.out / name}/*/*.{REJECTS}")
    problems += [f"{found.file}: {found.problem}; {found.remedy}" for found in outcome.damaged]
    problems += [failed.error for failed in outcome.failed[:_MAX_FAILURES]]
    if len(outcome.failed) > _MAX_FAILURES:
        problems.append(f"... and {len(outcome.failed) - _MAX_FAILURES} more failures")
    for problem in problems:
        _print(console, problem, "red")
    return _FAILED if problems else _OK


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(app())
