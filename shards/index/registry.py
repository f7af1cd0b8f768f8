"""The formats a config may name."""

from shards.index import IndexFormat
from shards.index.croissant import CROISSANT
from shards.index.dali import DALI
from shards.index.huggingface import HUGGING_FACE

INDEX_FORMATS: dict[str, IndexFormat] = {
    index.name: index for index in (DALI, HUGGING_FACE, CROISSANT)
}
