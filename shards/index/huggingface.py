"""Hugging Face `datasets`: `README.md` of the whole output, a dataset card.

Format: the YAML between the `---` lines, `configs` and `dataset_info`
(huggingface.co/docs/hub/datasets-manual-configuration). One config per source, with the type
of every column: without types, datasets infers them from the first five samples of the first shard,
and later samples that differ are truncated or raise an error.

datasets decodes `.mp` itself. The fields of `ids` differ between sources: their type is `json`, a
map of any fields, which datasets has since version 4.7.
"""

import json
from collections.abc import Iterator

import pyarrow.compute as pc

from shards.index import FileContents, IndexFormat, Sources, Splits
from shards.layout import ANNOTATIONS, LABELS

_ANNOTATIONS = f"""\
  - name: {ANNOTATIONS}
    struct:
    - {{name: size, list: int64}}
    - {{name: original_size, list: int64}}
    - {{name: file, dtype: string}}
    - {{name: ids, dtype: json}}
    - {{name: captions, list: string}}
    - name: regions
      list:
      - {{name: phrases, list: string}}
      - {{name: box, list: float64}}
      - {{name: mask, struct: [{{name: size, list: int64}}, {{name: counts, dtype: binary}}]}}
      - name: spans
        list:
        - {{name: caption, dtype: int64}}
        - {{name: start, dtype: int64}}
        - {{name: stop, dtype: int64}}
      - {{name: category, dtype: string}}
      - {{name: attributes, list: string}}
      - {{name: parent, dtype: int64}}
      - {{name: ids, dtype: json}}
    - name: conversations
      list: {{list: [{{name: speaker, dtype: string}}, {{name: text, dtype: string}}]}}
    - {{name: label_table, dtype: string}}
    - {{name: label_classes, list: int64}}
"""

_TEXT = f"""
# GLaMM's training sources as WebDataset shards

One config per source. A sample is a photo (`jpg`), its annotations (`{ANNOTATIONS}`) and, for some
sources, a label map of class ids, 255 = ignore (`{LABELS}`). Boxes and masks are in pixels of the
stored photo; `pycocotools.mask.decode` takes a mask as it is.

| source | split | samples | shards | bytes |
|---|---|---:|---:|---:|
"""


def output_files(sources: Sources) -> FileContents:
    """`README.md`; configs without samples are left out, since datasets rejects them."""
    with_samples = {
        name: {
            split: listing for split, listing in sorted(splits.items()) if listing.manifest.samples
        }
        for name, splits in sorted(sources.items())
    }
    filled = {name: splits for name, splits in with_samples.items() if splits}
    if not filled:
        return {}
    card = ["---\n", "configs:\n"]
    for name, splits in filled.items():
        card += _config(name, splits)
    card.append("dataset_info:\n")
    for name, splits in filled.items():
        card += _features(name, splits)
    card += ["---\n", _TEXT]
    for name, splits in filled.items():
        card += _rows(name, splits)
    return {"README.md": "".join(card).encode()}


def _config(name: str, splits: Splits) -> Iterator[str]:
    yield f"- config_name: {_quoted(name)}\n  data_files:\n"
    for split in splits:
        path = _quoted(f"{name}/{split}/*.tar")
        yield f"  - split: {_quoted(split)}\n    path: {path}\n"


def _features(name: str, splits: Splits) -> Iterator[str]:
    rows = [listing.rows for listing in splits.values()]
    yield f"- config_name: {_quoted(name)}\n  features:\n"
    for extension in sorted({e for table in rows for e in pc.unique(table["image"]).to_pylist()}):
        yield _column(extension, "image")
    if any(pc.any(pc.greater(table["labels_size"], 0)).as_py() for table in rows):
        yield _column(LABELS, "image")
    yield _ANNOTATIONS
    yield _column("__key__", "string")
    yield _column("__url__", "string")


def _column(name: str, dtype: str) -> str:
    return f"  - name: {name}\n    dtype: {dtype}\n"


def _rows(name: str, splits: Splits) -> Iterator[str]:
    for split, listing in splits.items():
        manifest = listing.manifest
        yield (
            f"| {name} | {split} | {manifest.samples:,} | {len(manifest.shards):,} "
            f"| {manifest.bytes:,} |\n"
        )


def _quoted(text: str) -> str:
    """A quoted YAML string, so that `no` or `1e3` is read as text."""
    return json.dumps(text)


HUGGING_FACE = IndexFormat("huggingface", ("README.md",), output_files=output_files)
