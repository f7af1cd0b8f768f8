"""The dataset card, character by character, and its types compared with the format."""

from pathlib import Path

import msgspec
import pyarrow as pa
import yaml

from shards.index import Listing
from shards.index.huggingface import output_files
from shards.index.samples import SCHEMA
from shards.layout import Annotations
from shards.manifest import ShardInfo, Tally, build_manifest
from shards.sample import Region

FRONT = """\
---
configs:
- config_name: "ade20k"
  data_files:
  - split: "train"
    path: "ade20k/train/*.tar"
- config_name: "refcoco"
  data_files:
  - split: "testA"
    path: "refcoco/testA/*.tar"
  - split: "val"
    path: "refcoco/val/*.tar"
dataset_info:
- config_name: "ade20k"
  features:
  - name: jpg
    dtype: image
  - name: labels.png
    dtype: image
  - name: mp
    struct:
    - {name: size, list: int64}
"""
SECOND = """\
- config_name: "refcoco"
  features:
  - name: jpg
    dtype: image
  - name: mp
    struct:
"""
TABLE = """\
| source | split | samples | shards | bytes |
|---|---|---:|---:|---:|
| ade20k | train | 1,200 | 2 | 2,000,000 |
| refcoco | testA | 1 | 1 | 1,000,000 |
| refcoco | val | 1 | 1 | 1,000,000 |
"""


def listing(source: str, split: str, *samples: int, labels: int = 0) -> Listing:
    """A split whose shards have so many samples and a million bytes each."""
    infos = [
        ShardInfo(f"{source}-{split}-{n:06}", count, 10**6, "00", "", Tally())
        for n, count in enumerate(samples)
    ]
    row = {"image": "jpg", "labels_size": labels}
    rows = pa.Table.from_pylist([row] * sum(samples), SCHEMA)
    return Listing(Path("nowhere"), build_manifest(source, split, "", {}, infos), rows, {})


def card() -> str:
    files = output_files(
        {
            "refcoco": {
                "val": listing("refcoco", "val", 1),
                "testA": listing("refcoco", "testA", 1),
                "testB": listing("refcoco", "testB"),
            },
            "ade20k": {"train": listing("ade20k", "train", 600, 600, labels=9)},
            "coco_captions": {"train": listing("coco_captions", "train")},
        }
    )
    assert set(files) == {"README.md"}
    return files["README.md"].decode()


def test_the_card() -> None:
    text = card()
    assert text.startswith(FRONT)
    assert SECOND in text
    assert text.endswith(TABLE)
    assert text.count("\n---\n") == 1
    assert output_files({}) == output_files({"a": {"train": listing("a", "train", 0)}}) == {}


def test_every_field_has_its_type() -> None:
    """`ids` is any map; all other fields have the type of the format."""
    for config in yaml.safe_load(card().split("---\n")[1])["dataset_info"]:
        columns = {column["name"]: column for column in config["features"]}
        assert list(columns)[-3:] == ["mp", "__key__", "__url__"]
        annotations = {field["name"]: field for field in columns["mp"]["struct"]}
        assert list(annotations) == [f.name for f in msgspec.structs.fields(Annotations)]
        regions = {field["name"]: field for field in annotations["regions"]["list"]}
        assert list(regions) == [f.name for f in msgspec.structs.fields(Region)]
        assert regions["box"] == {"name": "box", "list": "float64"}
        assert annotations["ids"] == regions["ids"] == {"name": "ids", "dtype": "json"}


def test_names_that_yaml_would_not_read_as_text() -> None:
    text = output_files({"1e3": {"no": listing("1e3", "no", 1)}})["README.md"].decode()
    [config] = yaml.safe_load(text.split("---\n")[1])["configs"]
    assert config == {
        "config_name": "1e3",
        "data_files": [{"split": "no", "path": "1e3/no/*.tar"}],
    }
