"""What a run is told: frozen values, with their defaults. `convert.config_file` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from convert.filters import KEEP_ALL, Filters
from convert.plan import Order, PlanPolicy
from convert.policy import ImagePolicy
from convert.source import Source
from shards.index import IndexFormat
from shards.index.registry import INDEX_FORMATS

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class Handling:
    """What a source's entry may say about its conversion, beside the source's own fields.

    Attributes:
        items_per_shard: at most so many; a shard holds at most that many samples.
        order: see `convert.plan.PlanPolicy`.
        max_rejected: share of the items that may be quarantined before the run fails.
        optional: splits that the guide does not ask for: their absence is told, but no fault.
        collection: whose photos these are; sources of one collection may share photos.
        filters: what is left out on purpose.
        image: how images are stored.
    """

    items_per_shard: Count = 1000
    order: Order = "shuffled"
    max_rejected: Share = 0.001
    optional: tuple[str, ...] = ()
    collection: str = ""
    filters: Filters = KEEP_ALL
    image: ImagePolicy = field(default_factory=ImagePolicy)


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
