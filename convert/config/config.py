"""The config of a run as frozen values with defaults, and the reader of its YAML file."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import yaml

from convert.errors import ConfigError
from convert.image.policy import ImagePolicy
from convert.plan import ItemOrder, PlanPolicy
from convert.record import LabelTable
from convert.sample.filters import KEEP_ALL, Filters
from convert.sources.label_tables import read_table
from convert.sources.source import Source
from shards.index import IndexFormat
from shards.index.registry import INDEX_FORMATS

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options of a source's entry that are not fields of the source itself.

    Attributes:
        items_per_shard: maximum.
        order: see `convert.plan.PlanPolicy`.
        max_rejected: fraction of the items that may be rejected before the run fails.
        optional: splits that the guide does not require: a missing one is a note, not a problem.
        collection: name of the collection of its photos. Sources of the same collection may have
            the same photos.
        filters: which photos, captions and regions to drop.
        image: how images are stored.
    """

    items_per_shard: Count = 1000
    order: ItemOrder = "shuffled"
    max_rejected: Fraction = 0.001
    optional: tuple[str, ...] = ()
    collection: str = ""
    filters: Filters = KEEP_ALL
    image: ImagePolicy = field(default_factory=ImagePolicy)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One configured source, and its options."""

    source: Source
    options: SourceOptions


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the bytes of shards.

    Attributes:
        sources: name -> entry, in the order of the file.
        indexes: names of the index formats to write.
        seed: of the order of items.
    """

    sources: Mapping[str, SourceConfig]
    indexes: tuple[str, ...] = ("dali",)
    seed: int = 0

    def index_formats(self) -> tuple[IndexFormat, ...]:
        """The index formats to write."""
        return tuple(INDEX_FORMATS[name] for name in self.indexes)

    def plan_policy(self, name: str, limit: int | None) -> PlanPolicy:
        """How to divide the items of a source into shards."""
        options = self.sources[name].options
        return PlanPolicy(options.items_per_shard, options.order, self.seed, limit)


def default_config() -> Path:
    """The path of `configs/glamm.yaml` in the installed package or the checkout."""
    here = Path(__file__).parent.parent
    candidates = (here / "configs", here.parent / "configs")
    return next((c for c in candidates if c.is_dir()), candidates[-1]) / "glamm.yaml"


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigError: if it cannot be read, is not YAML, or has a key twice in one mapping.
    """
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a config file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error


class _UniqueKeys(yaml.SafeLoader):
    """A loader that rejects duplicate keys. YAML's own silently takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the base's signature
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is here twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


T = TypeVar("T")
_OPTION_KEYS = tuple(f.name for f in fields(SourceOptions))
_SPLIT = re.compile(r"[A-Za-z0-9_]{1,16}")
_NAME = re.compile(r"[a-z0-9][A-Za-z0-9_-]{0,38}")
"""Name, hyphen and id are a key; the longest id has 48 characters."""


def load_config(path: Path, kinds: Mapping[str, type[Source]]) -> Config:
    """Read a config file.

    Args:
        path: the file; label tables are read from `classes/` beside it.
        kinds: name -> class of the source, for the key `kind`.

    Raises:
        ConfigError: with every mistake in the file, each with its key and what was expected.
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
    """Builds the values and collects all mistakes, instead of stopping at the first."""

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
        entries: dict[str, SourceConfig | None] = {}
        defaults = {name: values.pop(name) for name in _OPTION_KEYS if name in values}
        if self._build(SourceOptions, defaults) is None:
            defaults = {}  # reported once, not again for every source
        for name, entry in values.pop("sources").items():
            with self.at(f"sources.{name}"):
                if not isinstance(name, str) or not _NAME.fullmatch(name):
                    self.wrong(
                        f"the name of a source is part of its keys; it must match {_NAME.pattern}"
                    )
                entries[name] = self._entry(entry, defaults, kinds)
        indexes = values.get("indexes")
        for name in indexes if isinstance(indexes, list) else ():
            if isinstance(name, str) and name not in INDEX_FORMATS:
                self.wrong(f"indexes: {name!r} is not among {sorted(INDEX_FORMATS)}")
        return self._build(Config, values, ready={"sources": entries}, also=_OPTION_KEYS)

    def _entry(
        self, entry: Any, defaults: dict[str, Any], kinds: Mapping[str, type[Source]]
    ) -> SourceConfig | None:
        if not isinstance(entry, dict) or entry.get("kind") not in list(kinds):
            self.wrong(f"expected a mapping with `kind`, one of {sorted(kinds)}; got {entry!r}")
            return None
        rest = {key: value for key, value in entry.items() if key != "kind"}
        own = {name: rest.pop(name) for name in _OPTION_KEYS if name in rest}
        options = self._build(SourceOptions, _merge(defaults, own))
        source = self._build(kinds[entry["kind"]], rest, also=_OPTION_KEYS)
        if source is None or options is None:
            return None
        odd = [split for split in source.splits if not _SPLIT.fullmatch(split)]
        if odd:
            self.wrong(f"splits {odd}: the name of a split must match {_SPLIT.pattern!r}")
        return SourceConfig(source, options)

    def _build(
        self,
        cls: type[T],
        values: dict[str, Any],
        *,
        ready: Mapping[str, Any] | None = None,
        also: Sequence[str] = (),
    ) -> T | None:
        """Construct `cls`; `also` names further known keys, which were taken out of `values`."""
        known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # a dataclass
        parsed, mistakes = dict(ready or {}), len(self.mistakes)
        for name in sorted(values.keys() - known.keys(), key=str):
            self.wrong(f"unknown key {name!r}; known are {sorted({*known, *also})}")
        for name, f in known.items():
            if f.default is f.default_factory is MISSING and name not in {*values, *parsed}:
                self.wrong(f"missing key {name!r}")
            if name in values:
                with self.at(name):
                    parsed[name] = self._value(values[name], f.type)
        try:
            return cls(**parsed) if len(self.mistakes) == mistakes else None
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
    """The values of an entry over those of the file; mappings are merged key by key."""
    merged = {**defaults, **own}
    for name in defaults.keys() & own.keys():
        if isinstance(defaults[name], dict) and isinstance(own[name], dict):
            merged[name] = {**defaults[name], **own[name]}
    return merged
