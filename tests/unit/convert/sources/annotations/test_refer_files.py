"""The REFER layout, and typed JSON beneath it."""

import json
import pickle
from typing import Any

import pytest

from convert.errors import SourceLayoutError, UnsafePickleError
from convert.sources.annotations.coco import CaptionsFile, InstancesFile
from convert.sources.annotations.refer_files import ReferPhoto, read_refer
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot
from tests.unit.convert.sources.annotations.test_plain_pickle import HOSTILE

IMAGES = [
    {"id": 5, "file_name": "COCO_train2014_000000000005.jpg", "height": 3, "width": 4, "extra": 1},
    {"id": 6, "file_name": "COCO_train2014_000000000006.jpg", "height": 3, "width": 4},
]
ROW = {"id": 50, "image_id": 5, "category_id": 1, "bbox": [0, 1, 2, 3], "segmentation": [[0, 0]]}
INSTANCES = {
    "images": IMAGES,
    "annotations": [ROW, {**ROW, "id": 51, "category_id": 9, "bbox": [0.5, 1, 2, 3]}],
    "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
}


def ref(ref_id: int, ann_id: int, image_id: int, split: str = "train") -> dict[str, Any]:
    sentences = [{"sent_id": ref_id * 10, "sent": "the cat", "raw": "The cat", "tokens": ["cat"]}]
    return {
        "ref_id": ref_id, "ann_id": ann_id, "image_id": image_id, "split": split,
        "sentences": sentences, "file_name": "x_50.jpg", "sent_ids": [ref_id * 10],
    }  # fmt: skip


def read(tmp_path, refs: Any, instances: Any = INSTANCES) -> list[ReferPhoto]:
    content = refs if isinstance(refs, bytes) else pickle.dumps(refs, 2)
    (tmp_path / "refs.p").write_bytes(content)
    text = instances if isinstance(instances, bytes) else json.dumps(instances).encode()
    (tmp_path / "instances.json").write_bytes(text)
    return list(read_refer(DataRoot(tmp_path.parent), tmp_path.name, "refs.p"))


def test_photos_in_the_order_of_their_first_ref(tmp_path) -> None:
    refs = [ref(1, 51, 6), ref(2, 50, 5), ref(3, 50, 6), ref(4, 50, 5, "val"), ref(5, 99, 7)]
    found = read(tmp_path, refs)
    assert [(p.image_id, p.split) for p in found] == [
        (6, "train"),
        (5, "train"),
        (5, "val"),
        (7, "train"),
    ]
    assert [[r.ref_id for r in p.refs] for p in found] == [[1, 3], [2], [4], [5]]
    assert [p.categories for p in found] == [("", "cat"), ("cat",), ("cat",), ("",)]
    assert found[0].image is not None
    assert found[0].image.file_name == IMAGES[1]["file_name"]
    assert found[3].image is None
    assert found[3].instances == (None,)
    row = found[0].instances[0]
    assert row is not None
    assert (row.bbox, bytes(row.segmentation)) == ((0.5, 1.0, 2.0, 3.0), b"[[0, 0]]")


def test_a_ref_of_several_test_splits(tmp_path) -> None:
    found = read(tmp_path, [ref(1, 50, 5, "testAC"), ref(2, 51, 5, "testC"), ref(3, 50, 6, "test")])
    assert [(p.image_id, p.split, [r.ref_id for r in p.refs]) for p in found] == [
        (5, "testA", [1]), (5, "testC", [1, 2]), (6, "test", [3]),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["STACK_GLOBAL", "INST", "reduce, protocol 2"])
def test_a_pickle_that_wants_to_run(tmp_path, monkeypatch, name) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickleError, match=r"refs\.p"):
        read(tmp_path, HOSTILE[name])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["instances.json", "refs.p"]


@pytest.mark.parametrize(
    "refs",
    [
        None, 5, "refs", {"1": ref(1, 50, 5)}, [5], [{}], [{**ref(1, 50, 5), "split": 5}],
        [{**ref(1, 50, 5), "sentences": None}], [{**ref(1, 50, 5), "image_id": "5"}],
        [{**ref(1, 50, 5), "sentences": [{"sent_id": 1}]}], b"", b"not a pickle",
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_other_refs(tmp_path, refs) -> None:
    with pytest.raises(SourceLayoutError, match=r"refs\.p"):
        read(tmp_path, refs)


def test_refs_that_hold_themselves(tmp_path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(SourceLayoutError, match=r"refs\.p"):
        read(tmp_path, loop)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000,
        b'{"images": [], "annotations": [], "categories": [{"id": 1, "name": "\xff"}]}',
        json.dumps({**INSTANCES, "images": [{"id": 1}]}).encode(),
        json.dumps({**INSTANCES, "annotations": [{**ROW, "bbox": [1, 2, 3]}]}).encode(),
        json.dumps(INSTANCES).encode()[:-20],
    ],
    ids=lambda content: str(content)[:30],
)  # fmt: skip
def test_other_instances(tmp_path, content) -> None:
    with pytest.raises(
        SourceLayoutError, match=r"instances\.json.*cut short, or of another edition"
    ):
        read(tmp_path, [ref(1, 50, 5)], content)
    with pytest.raises(SourceLayoutError, match="expected a readable file"):
        read_json(DataRoot(tmp_path), "absent.json", InstancesFile)


def test_numbers_that_were_written_as_text(tmp_path) -> None:
    rows = {
        "images": [{**IMAGES[0], "height": "3"}],
        "annotations": [{"id": "7", "image_id": 5, "caption": "é"}],
    }
    (tmp_path / "x.json").write_text(json.dumps(rows))
    found = read_json(DataRoot(tmp_path), "x.json", CaptionsFile)
    assert (found.images[0].height, found.annotations[0].caption) == (3, "é")
