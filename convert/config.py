"""The run's config: one YAML file, parsed once, into frozen values.

A source's entry *is* its constructor: `kind` names the dataclass, the other keys are its fields.
There is no second schema to keep in step, no defaults outside the dataclasses, no global.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from convert.errors import ConfigError
from convert.plan import Order, PlanPolicy
from convert.policy import ImagePolicy
from convert.record import LabelTable
from convert.source import Source
from convert.tables import read_table
from convert.yaml_file import read_yaml
from shards.index import IndexFormat
from shards.index.registry import INDEX_FORMATS

T = TypeVar("T")
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
_SPLIT = re.compile(r"[A-Za-z0-9_]{1,16}")
_NAME = re.compile(r"[a-z0-9][A-Za-z0-9_-]{0,38}")
"""With the longest id, 48 characters, and a hyphen between them it is a key."""


@dataclass(frozen=True, slots=True)
class Handling:
    """What a source's entry may say about its conversion, beside the source's own fields.

    Attributes:
        items_per_shard: at most so many; a shard holds at most that many samples.
        order: see `convert.plan.PlanPolicy`.
        max_rejected: share of the items that may be quarantined before the run fails.
        optional: splits that the guide does not ask for: their absence is told, but no fault.
    """

    items_per_shard: Count = 1000
    order: Order = "shuffled"
    max_rejected: Share = 0.001
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One configured source."""

    source: Source
    handling: Handling


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides bytes.

    Attributes:
        sources: name -> entry, in the order of the file.
        indexes: names of the index formats to write.
        seed: of the order of items.
    """

    sources: Mapping[str, Entry]
    image: ImagePolicy = field(default_factory=ImagePolicy)
    indexes: tuple[str, ...] = ("dali",)
    seed: int = 0

    def index_formats(self) -> tuple[IndexFormat, ...]:
        """The formats by their names."""
        return tuple(INDEX_FORMATS[name] for name in self.indexes)

    def plan_policy(self, name: str, limit: int | None) -> PlanPolicy:
        """How to cut one of the sources."""
        handling = self.sources[name].handling
        return PlanPolicy(handling.items_per_shard, handling.order, self.seed, limit)


def default_config() -> Path:
    """`configs/glamm.yaml` of the installed package, or of the checkout."""
    here = Path(__file__).parent
    candidates = (here / "configs", here.parent / "configs")
    return next((c for c in candidates if c.is_dir()), candidates[-1]) / "glamm.yaml"


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
        ready: dict[str, Any] = {}
        defaults = {f.name: values.pop(f.name) for f in fields(Handling) if f.name in values}
        ready["sources"] = {}
        for name, entry in values.pop("sources").items():
            with self.at(f"sources.{name}"):
                if not isinstance(name, str) or not _NAME.fullmatch(name):
                    self.wrong(f"a source's name begins its keys: it must match {_NAME.pattern}")
                ready["sources"][name] = self._entry(entry, defaults, kinds)
        image = values.pop("image", None) or {}
        with self.at("image"):
            if isinstance(image, dict):
                ready["image"] = self._build(ImagePolicy, image)
            else:
                self.wrong(f"expected a mapping; got {image!r}")
        indexes = values.get("indexes")
        for name in indexes if isinstance(indexes, list) else ():
            if isinstance(name, str) and name not in INDEX_FORMATS:
                self.wrong(f"indexes: {name!r} is not among {sorted(INDEX_FORMATS)}")
        return self._build(Config, values, ready=ready, also=[f.name for f in fields(Handling)])

    def _entry(
        self, entry: Any, defaults: dict[str, Any], kinds: Mapping[str, type[Source]]
    ) -> Entry | None:
        if not isinstance(entry, dict) or entry.get("kind") not in list(kinds):
            self.wrong(f"expected a mapping with `kind`, one of {sorted(kinds)}; got {entry!r}")
            return None
        rest = {key: value for key, value in entry.items() if key != "kind"}
        names = [f.name for f in fields(Handling)]
        chosen = {**defaults, **{name: rest.pop(name) for name in names if name in rest}}
        handling = self._build(Handling, chosen)
        source = self._build(kinds[entry["kind"]], rest, also=names)
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
            return msgspec.convert(value, kind)
        except (msgspec.ValidationError, ConfigError) as error:
            self.wrong(f"{error}; got {value!r}")
            return None
