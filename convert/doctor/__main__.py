"""`python -m convert.doctor --root DATA`: what is there, what is missing, what to do about it."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from convert.config.config import Config, default_config, load_config
from convert.config.published import Published, read_published
from convert.doctor import Diagnosis, examine
from convert.doctor.survey import Survey
from convert.errors import ConfigError
from convert.pillow import live_pillow
from convert.sources.files import DataRoot
from convert.sources.kinds import SOURCES

_READY, _NOT_READY, _MISTAKE = 0, 1, 2
_STYLES = {"ready": "green", "incomplete": "yellow", "absent": "red"}

app = App(
    name="python -m convert.doctor",
    help_epilogue="Exit status: 0 every source asked for is ready; 1 one is not; 2 a mistake.",
)


@app.default
def doctor(
    *,
    root: Path = Path("data"),
    source: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Look at downloads before they are converted. Nothing is changed, no photo is opened.

    Parameters
    ----------
    root
        The folder with the downloads.
    source
        Only these sources; by default all that the config names.
    config
        The default is this program's configs/glamm.yaml.
    json
        Print the diagnoses as JSON.
    """
    console = Console(soft_wrap=True, highlight=False)
    try:
        path = config or default_config()
        settings = load_config(path, SOURCES)
        _expect(settings, source or [], root)
        facts = _read_facts(path)
        pillow = live_pillow().describe()
    except ConfigError as error:
        Console(stderr=True).print(f"doctor: {error}", style="red", highlight=False, markup=False)
        return _MISTAKE
    needs = [need for entry in settings.sources.values() for need in entry.source.needs()]
    survey = Survey(DataRoot(root.resolve()), frozenset(p for need in needs for p in need.places))
    if not json:
        console.print(f"{survey.root.path}, {pillow}", markup=False)
    diagnoses = []
    for name, entry in settings.sources.items():
        if source is None or name in source:
            diagnosis = examine(name, entry, survey, facts.get(name, Published()))
            diagnoses.append(diagnosis)
            if not json:
                _print(console, diagnosis)
    if json:
        text = msgspec.json.format(msgspec.json.encode(diagnoses)).decode()
        sys.stdout.write(f"{text}\n")
    else:
        ready = sum(diagnosis.state == "ready" for diagnosis in diagnoses)
        console.print(f"{ready} of {len(diagnoses)} sources are ready", markup=False)
    return _READY if all(d.state == "ready" for d in diagnoses) else _NOT_READY


def _expect(settings: Config, names: list[str], root: Path) -> None:
    unknown = sorted(set(names) - settings.sources.keys())
    if unknown:
        known = ", ".join(settings.sources)
        raise ConfigError(f"no source {', '.join(unknown)}; there are {known}")
    if not root.is_dir():
        raise ConfigError(f"--root {root}: no such folder; expected the one with the downloads")


def _read_facts(config: Path) -> dict[str, Published]:
    path = config.with_name("published.yaml")
    return read_published(path) if path.is_file() else {}


def _print(console: Console, diagnosis: Diagnosis) -> None:
    counts = ", ".join(f"{split} {count:,}" for split, count in diagnosis.photos.items())
    console.print(f"{diagnosis.state:<11}", style=_STYLES[diagnosis.state], end="")
    console.print(f"{diagnosis.source:<20} {counts}", markup=False)
    for finding in diagnosis.findings:
        mark = "!" if finding.problem else "-"
        console.print(f"  {mark} {finding.text}", markup=False)
        if finding.remedy:
            console.print(f"      {finding.remedy}", style="cyan", markup=False)


if __name__ == "__main__":
    sys.exit(app())
