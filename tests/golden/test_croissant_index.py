"""The Croissant description of a source, value by value."""

import json
from pathlib import Path

import pyarrow as pa

from shards.index import Listing
from shards.index.croissant import source_files
from shards.index.samples import SCHEMA
from shards.manifest import ShardInfo, Tally, build_manifest


def listing(split: str, *samples: int) -> Listing:
    infos = [
        ShardInfo(f"ade20k-{split}-{n:06}", count, 10240, f"{n:064x}", "", Tally())
        for n, count in enumerate(samples)
    ]
    rows = pa.Table.from_pylist([{"image": "jpg", "labels_size": 9}] * sum(samples), SCHEMA)
    return Listing(Path("nowhere"), build_manifest("ade20k", split, "", {}, infos), rows, {})


def file_set(extension: str, media_type: str) -> dict[str, object]:
    return {
        "@type": "cr:FileSet",
        "@id": f"val-{extension}-files",
        "name": f"val-{extension}-files",
        "containedIn": [{"@id": "ade20k-val-000000.tar"}],
        "encodingFormat": media_type,
        "includes": f"*.{extension}",
    }


def test_a_source() -> None:
    files = source_files(
        {"val": listing("val", 3), "train": listing("train", 2, 2), "test": listing("test")}
    )
    assert set(files) == {"croissant.json"}
    card = json.loads(files["croissant.json"])
    assert card["name"] == "ade20k"
    assert card["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert card["description"].endswith("Samples: train: 4, val: 3.")
    assert [node["@id"] for node in card["distribution"]] == [
        "ade20k-train-000000.tar", "ade20k-train-000001.tar",
        "train-jpg-files", "train-labels.png-files", "train-mp-files",
        "ade20k-val-000000.tar", "val-jpg-files", "val-labels.png-files", "val-mp-files",
    ]  # fmt: skip
    assert card["distribution"][1] == {
        "@type": "cr:FileObject",
        "@id": "ade20k-train-000001.tar",
        "name": "ade20k-train-000001.tar",
        "contentUrl": "train/ade20k-train-000001.tar",
        "contentSize": "10240 B",
        "encodingFormat": "application/x-tar",
        "sha256": f"{1:064x}",
    }
    assert card["distribution"][-3:] == [
        file_set("jpg", "image/jpeg"),
        file_set("labels.png", "image/png"),
        file_set("mp", "application/vnd.msgpack"),
    ]
    assert [node["@id"] for node in card["recordSet"]] == [
        "train-jpg", "train-labels.png", "val-jpg", "val-labels.png",
    ]  # fmt: skip
    labels = card["recordSet"][-1]
    assert labels["key"] == {"@id": "val-labels.png/key"}
    assert labels["field"] == [
        {
            "@type": "cr:Field",
            "@id": "val-labels.png/key",
            "name": "val-labels.png/key",
            "dataType": "sc:Text",
            "source": {
                "fileSet": {"@id": "val-labels.png-files"},
                "extract": {"fileProperty": "filename"},
                "transform": {"regex": r"^(.*)\.labels\.png$"},
            },
        },
        {
            "@type": "cr:Field",
            "@id": "val-labels.png/labels.png",
            "name": "val-labels.png/labels.png",
            "dataType": "sc:ImageObject",
            "source": {
                "fileSet": {"@id": "val-labels.png-files"},
                "extract": {"fileProperty": "content"},
            },
        },
    ]


def test_no_file_without_samples() -> None:
    assert source_files({}) == source_files({"train": listing("train")}) == {}
