"""All index formats, by the name that a config uses."""

from shards.index import IndexFormat
from shards.index.croissant import CROISSANT
from shards.index.dali import DALI
from shards.index.energon import ENERGON
from shards.index.huggingface import HUGGING_FACE
from shards.index.wids import WIDS

INDEX_FORMATS: dict[str, IndexFormat] = {
    index.name: index for index in (DALI, ENERGON, HUGGING_FACE, CROISSANT, WIDS)
}
