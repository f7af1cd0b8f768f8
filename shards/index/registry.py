"""The formats a config may name."""

from shards.index import IndexFormat
from shards.index.dali import DALI

INDEX_FORMATS: dict[str, IndexFormat] = {index.name: index for index in (DALI,)}
