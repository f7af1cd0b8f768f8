"""Read a config: one YAML file, parsed once, with every mistake in it told at once.

A source's entry *is* its constructor: `kind` names the dataclass, the other keys are its fields.
There is no second schema to keep in step, no defaults outside the dataclasses, no global.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from convert.config import Config, Entry, Handling
from convert.errors import ConfigError
from convert.policy import ImagePolicy
from convert.record import LabelTable
from convert.source import Source
from convert.tables import read_table
from convert.yaml_file import read_yaml
from shards.index.registry import INDEX_FORMATS

T = TypeVar("T")
_HANDLING = tuple(f.name for f in fields(Handling))
_SPLIT = re.compile(r"[A-Za-z0-9_]{1,16}")
_NAME = re.compile(r"[a-z0-9][A-Za-z0-9_-]{0,38}")
"""With the longest id, 48 characters, and a hyphen between them it is a key."""


def load_config(path: Path, kinds: Mapping[str, type[Source]]) -> Config:
    """Read a config file.

    Args:
        path: the file; label tables are read from `classes/` beside it.
        kinds: what `kind` may say.

    Raises:
        ConfigError: with every mistake in the file, each by its key and what was expected.
    """
    values = read_yaml(path)
    if not isinstance(values, dict) or not isinstance(values.get("sources"), dict):
        raise ConfigError(f"{path}: expected keys and values, `sources` among them")
    build = _Builder(path.parent / "classes")
    with build.at(str(path)):
        config = build.config(values, kinds)
    if config is None or build.mistakes:
        raise ConfigError("\n".join(build.mistakes))
    return config


class _Builder:
    """Collects mistakes instead of stopping at the first."""

    def __init__(self, tables: Path) -> None:
        self.mistakes: list[str] = []
        self._tables = tables
        self._where: list[str] = []

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        self._where.append(where)
        yield
        self._where.pop()

    def wrong(self, message: str) -> None:
        self.mistakes.append(f"{': '.join(self._where)}: {message}")

    def config(self, values: dict[str, Any], kinds: Mapping[str, type[Source]]) -> Config | None:
        entries: dict[str, Entry | None] = {}
        defaults = {name: values.pop(name) for name in _HANDLING if name in values}
        if self._build(Handling, defaults) is None:
            defaults = {}  # said once, not once more for every source
        for name, entry in values.pop("sources").items():
            with self.at(f"sources.{name}"):
                if not isinstance(name, str) or not _NAME.fullmatch(name):
                    self.wrong(f"a source's name begins its keys: it must match {_NAME.pattern}")
                entries[name] = self._entry(entry, defaults, kinds)
        indexes = values.get("indexes")
        for name in indexes if isinstance(indexes, list) else ():
            if isinstance(name, str) and name not in INDEX_FORMATS:
                self.wrong(f"indexes: {name!r} is not among {sorted(INDEX_FORMATS)}")
        return self._build(Config, values, ready={"sources": entries}, also=_HANDLING)

    def _entry(
        self, entry: Any, defaults: dict[str, Any], kinds: Mapping[str, type[Source]]
    ) -> Entry | None:
        if not isinstance(entry, dict) or entry.get("kind") not in list(kinds):
            self.wrong(f"expected a mapping with `kind`, one of {sorted(kinds)}; got {entry!r}")
            return None
        rest = {key: value for key, value in entry.items() if key != "kind"}
        own = {name: rest.pop(name) for name in _HANDLING if name in rest}
        handling = self._build(Handling, _merge(defaults, own))
        source = self._build(kinds[entry["kind"]], rest, also=_HANDLING)
        if source is None or handling is None:
            return None
        odd = [split for split in source.splits if not _SPLIT.fullmatch(split)]
        if odd:
            self.wrong(f"splits {odd} name folders, so they must match {_SPLIT.pattern!r}")
        return Entry(source, handling)

    def _build(
        self,
        cls: type[T],
        values: dict[str, Any],
        *,
        ready: Mapping[str, Any] | None = None,
        also: Sequence[str] = (),
    ) -> T | None:
        """Construct `cls`; `also` names keys that are allowed here but were taken out before."""
        known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # a dataclass
        parsed, before = dict(ready or {}), len(self.mistakes)
        for name in sorted(values.keys() - known.keys(), key=str):
            self.wrong(f"unknown key {name!r}; known are {sorted({*known, *also})}")
        for name, f in known.items():
            if f.default is f.default_factory is MISSING and name not in {*values, *parsed}:
                self.wrong(f"missing key {name!r}")
            if name in values:
                with self.at(name):
                    parsed[name] = self._value(values[name], f.type)
        try:
            return cls(**parsed) if len(self.mistakes) == before else None
        except ConfigError as error:
            self.wrong(str(error))
            return None

    def _value(self, value: Any, kind: Any) -> Any:
        try:
            if kind is LabelTable:
                return read_table(self._tables / f"{value}.json")
            if kind is ImagePolicy and isinstance(value, dict):
                return self._build(ImagePolicy, value)
            return msgspec.convert(value, kind)
        except (msgspec.ValidationError, ConfigError) as error:
            self.wrong(f"{error}; got {value!r}")
            return None


def _merge(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's keys over the file's; mappings are merged key by key."""
    merged = {**defaults, **own}
    for name in defaults.keys() & own.keys():
        if isinstance(defaults[name], dict) and isinstance(own[name], dict):
            merged[name] = {**defaults[name], **own[name]}
    return merged
