"""The wids index of a split, character by character, and the error for a missing shard."""

import shutil

import msgspec
import pyarrow as pa
import pytest

from shards.errors import CorruptShardError
from shards.index import Listing
from shards.index.samples import SCHEMA
from shards.index.wids import WIDS, split_files
from shards.index.write import write_indexes
from shards.manifest import ShardInfo, Tally, build_manifest
from tests.conftest import command, hash_tree

# As `widsindex create` of wids 0.1.11 writes it.
TEXT = b"""\
{
  "__kind__": "wids-shard-index-v1",
  "wids_version": 1,
  "shardlist": [
    {
      "url": "sa-train-000000.tar",
      "md5sum": "5d41402abc4b2a76b9719d911017c592",
      "nsamples": 2,
      "filesize": 5
    },
    {
      "url": "sa-train-000002.tar",
      "md5sum": "7d793037a0760186574b0282f2f435e7",
      "nsamples": 1,
      "filesize": 5
    }
  ],
  "name": "sa-train"
}"""


@pytest.fixture
def listing(tmp_path):
    infos = []
    for number, content, samples in ((2, b"world", 1), (1, b"", 0), (0, b"hello", 2)):
        name = f"sa-train-{number:06}"
        (tmp_path / f"{name}.tar").write_bytes(content)
        infos.append(ShardInfo(name, samples, len(content), "", "", Tally()))
    return Listing(tmp_path, build_manifest("sa", "train", "", {}, infos), SCHEMA.empty_table(), {})


def test_a_split(listing):
    assert split_files(listing) == {"shardindex.json": TEXT}


def test_no_file_without_samples(listing):
    empty = msgspec.structs.replace(listing.manifest, shards=(), samples=0)
    rows = pa.Table.from_pylist([], SCHEMA)
    assert split_files(Listing(listing.folder, empty, rows, {})) == {}


def test_a_shard_that_is_missing(listing):
    (listing.folder / "sa-train-000002.tar").unlink()
    with pytest.raises(CorruptShardError, match=r"sa-train-000002\.tar: No such file"):
        split_files(listing)


def test_of_the_miniature(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(converted / "refcoco", out / "refcoco")
    assert write_indexes(out, [WIDS], shards=True) == len(list(out.glob("*/*/manifest.json")))
    before = hash_tree(out)
    assert write_indexes(out, [WIDS], shards=True) == 0
    assert hash_tree(out) == before


def test_the_command_names_the_shard_that_is_missing(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(converted / "refcoco", out / "refcoco")
    (out / "refcoco/train/refcoco-train-000001.tar").unlink()
    done = command("shards.index", out, "--format", "wids")
    assert done.returncode == 1
    assert "refcoco-train-000001.tar" in done.stderr
    assert "Traceback" not in done.stderr
