"""`python -m convert.doctor --root DATA`: check downloads, and suggest repairs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from convert.config.config import Config, default_config, load_config
from convert.config.published import Published, read_published
from convert.doctor import Diagnosis, check_source
from convert.doctor.listing import FolderListing
from convert.errors import ConfigError
from convert.pillow import live_pillow
from convert.sources.files import DataRoot
from convert.sources.kinds import SOURCES

_READY, _NOT_READY, _WRONG_USAGE = 0, 1, 2
_STYLES = {"ready": "green", "incomplete": "yellow", "absent": "red"}

app = App(
    name="python -m convert.doctor",
    help_epilogue=(
        "Exit status: 0 every checked source is ready; 1 some source is not ready; 2 the command "
        "line or the config is wrong."
    ),
)
_Root = Annotated[Path, Parameter(help="The folder with the downloads.")]
_Sources = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        negative=(),
        help="Check only these sources. Default: all sources of the config.",
    ),
]
_ConfigFile = Annotated[
    Path | None, Parameter(help="The config file. Default: the shipped configs/glamm.yaml.")
]
_Json = Annotated[bool, Parameter(negative=(), help="Print the results as JSON.")]


@app.default
def doctor(
    *,
    root: _Root = Path("data"),
    source: _Sources = None,
    config: _ConfigFile = None,
    json: _Json = False,
) -> int:
    """Check the downloads before they are converted.

    Prints what is missing or wrong, and a command or an address for each problem. Changes nothing.
    """
    try:
        path = config or default_config()
        settings = load_config(path, SOURCES)
        _validate(settings, source or [], root)
        facts = _read_facts(path)
        pillow = live_pillow().describe()
    except ConfigError as error:
        Console(stderr=True).print(f"doctor: {error}", style="red", highlight=False, markup=False)
        return _WRONG_USAGE
    diagnoses = _diagnose(settings, DataRoot(root.resolve()), source, facts)
    if json:
        results = list(diagnoses)
        text = msgspec.json.format(msgspec.json.encode(results)).decode()
        sys.stdout.write(f"{text}\n")
    else:
        results = _print(diagnoses, f"{root.resolve()}, {pillow}")
    return _READY if all(d.state == "ready" for d in results) else _NOT_READY


def _validate(settings: Config, names: list[str], root: Path) -> None:
    unknown = sorted(set(names) - settings.sources.keys())
    if unknown:
        known = ", ".join(settings.sources)
        raise ConfigError(f"no source {', '.join(unknown)}; there are {known}")
    if not root.is_dir():
        raise ConfigError(f"--root {root}: no such folder; expected the folder with the downloads")


def _read_facts(config: Path) -> dict[str, Published]:
    path = config.with_name("published.yaml")
    return read_published(path) if path.is_file() else {}


def _diagnose(
    settings: Config, root: DataRoot, names: list[str] | None, facts: dict[str, Published]
) -> Iterator[Diagnosis]:
    needs = [need for entry in settings.sources.values() for need in entry.source.needs()]
    listing = FolderListing(root, frozenset(path for need in needs for path in need.paths))
    for name, entry in settings.sources.items():
        if names is None or name in names:
            yield check_source(name, entry, listing, facts.get(name, Published()))


def _print(diagnoses: Iterator[Diagnosis], header: str) -> list[Diagnosis]:
    """Print each diagnosis as soon as it is there, and return them all."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(header, markup=False)
    results: list[Diagnosis] = []
    for diagnosis in diagnoses:
        results.append(diagnosis)
        counts = ", ".join(f"{split} {count:,}" for split, count in diagnosis.photos.items())
        console.print(f"{diagnosis.state:<11}", style=_STYLES[diagnosis.state], end="")
        console.print(f"{diagnosis.source:<20} {counts}", markup=False)
        for finding in diagnosis.findings:
            mark = "!" if finding.problem else "-"
            console.print(f"  {mark} {finding.text}", markup=False)
            if finding.remedy:
                console.print(f"      {finding.remedy}", style="cyan", markup=False)
    ready = sum(diagnosis.state == "ready" for diagnosis in results)
    console.print(f"{ready} of {len(results)} sources are ready", markup=False)
    return results


if __name__ == "__main__":
    sys.exit(app())
