"""Databases that cannot be read, and entries of them that nobody reads."""

from collections.abc import Iterator

from convert.config.published import Published
from convert.doctor.commands import link
from convert.doctor.diagnosis import Observation
from convert.doctor.survey import Survey
from convert.errors import SourceLayoutError
from convert.sources.annotations.lmdb_json import open_database, read_keys
from convert.sources.files import DataRoot

DATABASE = "database"
_FILE = "data.mdb"
_LISTS = {"train": "_Train.txt", "val": "_Val.txt"}


def tell_trouble(folder: str, survey: Survey, facts: Published) -> Iterator[Observation]:
    """Why a database must not be opened."""
    trouble = _find_trouble(folder, survey)
    if trouble:
        inner = survey.folders_with([_FILE], folder)
        deeper = [place for place in inner if place.startswith(f"{folder}/")]
        remedy = link(deeper[0], folder, survey) if deeper else facts.fetch(photos=False)
        yield Observation(problem=True, text=f"{folder} {trouble}", remedy=remedy)


def _find_trouble(folder: str, survey: Survey) -> str:
    if not survey.exists(f"{folder}/{_FILE}"):
        return f"has no {_FILE} in it"
    try:
        with open_database(survey.root, folder):
            return ""
    except SourceLayoutError as error:
        return str(error).removeprefix(f"{folder} ").removeprefix(f"{folder}: ")


def tell_unlisted(folder: str, root: DataRoot) -> Iterator[Observation]:
    """How many entries no list of keys names."""
    count = read_keys(root, folder, _LISTS).unlisted
    if count:
        text = f"{count:,} entries of {folder} are in no list of keys, and left out"
        yield Observation(problem=False, text=text)
