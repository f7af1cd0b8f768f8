"""Damage of any kind is found and located; an intact output has no findings."""

import json
import os
import re
import shlex
import shutil
from functools import partial

import pytest

from convert.run import run
from shards.index.dali import DALI
from shards.index.huggingface import HUGGING_FACE
from shards.index.registry import INDEX_FORMATS
from shards.index.samples import encode_table, read_rows
from shards.index.write import write_indexes
from shards.manifest import Tally
from shards.verify import verify_output
from shards.verify.damage import first_difference
from shards.verify.finding import FIX_OTHERS
from shards.writer import ShardWriter
from tests.conftest import command, hash_tree
from tests.unit.shards.test_sample import make

SHARD = "ade20k/val/ade20k-val-000000"
NAMES = [
    "README.md", "ade20k/croissant.json", "ade20k/val/classes.json", "ade20k/val/manifest.json",
    "ade20k/val/samples.arrow", f"{SHARD}.tar", f"{SHARD}.json", f"{SHARD}.arrow", f"{SHARD}.idx",
]  # fmt: skip
"""Files of a small output: of its shard, of its split, and two cards."""
ADDED = [
    f"{SHARD}.tar.idx", "ade20k/val/shardindex.json",
    *(f"ade20k/.nv-meta/{name}"
      for name in (".info.json", "dataset.yaml", "index.sqlite", "index.uuid", "split.yaml")),
]  # fmt: skip
"""Files of the formats that a job writes only if its config names them."""


@pytest.fixture
def copy(converted, tmp_path):
    out = tmp_path / "out"
    for source in ("refcoco", "ade20k"):
        shutil.copytree(converted / source, out / source)
    write_indexes(out, [HUGGING_FACE], shards=False)  # of these two
    return out


@pytest.fixture
def convert_again(tmp_path, draw_miniature, small_shards):
    """The smallest output: one label map in one shard."""
    return partial(
        run, source=["ade20k"], split=["val"], limit=1, workers=0, root=draw_miniature(8).root,
        out=tmp_path / "small", config=small_shards,
    )  # fmt: skip


@pytest.fixture
def small(tmp_path, convert_again):
    assert convert_again() == 0
    return tmp_path / "small"


@pytest.fixture
def small_indexed(small):
    """The smallest output with the index files of all formats."""
    write_indexes(small, list(INDEX_FORMATS.values()), shards=True)
    return small


def problems(out, depth="bytes"):
    return {(found.file, found.problem) for found in verify_output(out, depth)}


def files(out, depth="bytes"):
    return {found.file for found in verify_output(out, depth)}


def test_intact_output(converted, converted_defective):
    for out in (converted, converted_defective):
        before = hash_tree(out)
        assert verify_output(out, "pixels") == []
        assert hash_tree(out) == before


def flip(path, offset, bit=1):
    content = bytearray(path.read_bytes())
    content[offset] ^= bit
    path.write_bytes(content)


def each_flip_is_found(out, names, step):
    flipped = 0
    for name in names:
        path = out / name
        whole = path.read_bytes()
        for offset in range(0, len(whole), step):
            flip(path, offset, 1 << (offset % 8))
            assert name in files(out), (name, offset)
            path.write_bytes(whole)
            flipped += 1
    assert verify_output(out) == []
    return flipped


def test_every_file_is_named_here(small_indexed):
    found = {path for path in small_indexed.rglob("*") if path.is_file()}
    assert {str(path.relative_to(small_indexed)) for path in found} == {*NAMES, *ADDED}


def test_flipped_bits_anywhere(small_indexed):
    assert each_flip_is_found(small_indexed, [*NAMES, *ADDED], step=1999) > 40


@pytest.mark.slow
def test_each_flipped_byte(small):
    assert each_flip_is_found(small, NAMES, step=1) > 10_000


@pytest.mark.slow
def test_each_flipped_byte_of_an_index_that_was_added(small_indexed):
    names = [name for name in ADDED if not name.endswith("sqlite")]
    assert each_flip_is_found(small_indexed, names, step=1) > 500


@pytest.mark.slow
def test_each_flipped_byte_of_a_database(small_indexed):
    """Compares with the bytes, since writing a database for each flip takes too long."""
    path = small_indexed / "ade20k/.nv-meta/index.sqlite"
    whole = path.read_bytes()
    assert len(whole) > 20_000
    for offset in range(len(whole)):
        flip(path, offset, 1 << (offset % 8))
        assert first_difference(path, whole) == offset
        path.write_bytes(whole)
    for offset in range(0, len(whole), 97):
        flip(path, offset)
        [found] = verify_output(small_indexed, "records")
        assert (found.file, found.offset) == ("ade20k/.nv-meta/index.sqlite", offset)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["samples.arrow", "manifest.json", "classes.json"])
def test_files_of_a_broken_split_are_not_unexpected(copy, name):
    """Nor are index files of a source or output that depend on it."""
    out = copy
    write_indexes(out, list(INDEX_FORMATS.values()), shards=True)
    flip(out / "ade20k/train" / name, 50)
    assert files(out) == {f"ade20k/train/{name}"}
    (out / "refcoco/train/mine.txt").write_text("")
    assert files(out, "records") == {f"ade20k/train/{name}", "refcoco/train/mine.txt"}


def test_where_a_tar_is_damaged(copy):
    tar = min((copy / "refcoco/train").glob("*.tar"))
    whole = tar.read_bytes()
    rows = read_rows(tar.with_suffix(".arrow")).to_pylist()
    assert len(rows) > 1
    for row in rows:
        flip(tar, row["offset"] + row["size"] // 2)
        reported = {(f.problem, f.offset) for f in verify_output(copy) if f.offset is not None}
        end = row["offset"] + row["size"]
        assert reported == {
            (f"{row['key']}, up to byte {end:,}: not what was written", row["offset"])
        }
        tar.write_bytes(whole)
    flip(tar, len(whole) - 1)
    assert [found.offset for found in verify_output(copy)] == [None, end]


def apply_remedy(found, out, again):
    """Do exactly what the remedy says."""
    if deleted := re.match(r"delete (\S+) beside it", found.remedy):
        ((out / found.file).parent / deleted[1]).unlink(missing_ok=True)
        assert "python -m convert.run again" in found.remedy
        again()
    else:
        program, *arguments = shlex.split(found.remedy)
        assert (program, arguments[0]) == ("python", "-m")
        assert command(*arguments[1:]).returncode == 0


# One of each kind of remedy is among the fast tests: a shard, a split, an index.
QUICK = {f"{SHARD}.tar", "ade20k/val/samples.arrow", "ade20k/.nv-meta/index.sqlite"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in (*NAMES, *ADDED)],
)
@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_remedies_help(small_indexed, convert_again, name, damage):
    path = small_indexed / name
    before = path.read_bytes()
    if damage == "flipped":
        flip(path, len(before) // 2)
    elif path.name == "shardindex.json":
        pytest.skip("nothing shows that a format was there whose only file is gone")
    else:
        path.unlink()
    found = verify_output(small_indexed)
    assert name in {each.file for each in found}
    for _ in range(2):  # a rewritten shard lacks the index files added to it: found next
        if found:
            first = next(each for each in found if each.remedy != FIX_OTHERS)
            apply_remedy(first, small_indexed, convert_again)
        found = verify_output(small_indexed)
    assert found == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("bytes_left", [0, 511, 512, 5000, -1024, -1])
def test_a_tar_that_is_cut(copy, bytes_left):
    tar = min((copy / "refcoco/train").glob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:bytes_left])
    assert f"refcoco/train/{tar.name}" in files(copy, "records")


def test_swapped_shards(copy):
    one, other = sorted((copy / "refcoco/train").glob("*.tar"))[:2]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert {f"refcoco/train/{tar.name}" for tar in (one, other)} <= files(copy)


def test_swapped_with_everything_beside_them(copy):
    folder = copy / "refcoco/train"
    for path in sorted(folder.glob("refcoco-train-000000.*")):
        other = path.with_name(path.name.replace("000000", "000001"))
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)
    assert files(copy, "records")


def test_a_key_in_two_sources(copy):
    """Both splits are intact; they share a key."""
    for source in ("one", "two"):
        with ShardWriter(copy / source / "train", f"{source}-train-000000") as shard:
            shard.add(make(key="same-1"))
            shard.commit(task="t", tally=Tally(1), indexes=[DALI])
        from convert.config.config import SourceConfig, SourceOptions
        from convert.job.finish import finish_split
        from convert.job.scan import SplitPlan

        class Stub:
            table = None

        entry = SourceConfig(Stub(), SourceOptions())  # type: ignore[arg-type]
        finish_split(copy / source / "train", entry, source, "train", SplitPlan(1, 1, 0, 0, "d"))
    found = {(f, problem) for f, problem in problems(copy, "records") if "/train/" in f}
    assert found == {
        (f"{source}/train/samples.arrow", "the key same-1 occurs more than once in the output")
        for source in ("one", "two")
    }


def test_a_row_that_is_gone(copy):
    for name in ("refcoco-train-000000.arrow", "samples.arrow"):
        path = copy / "refcoco/train" / name
        whole = path.read_bytes()
        path.write_bytes(encode_table(read_rows(path).slice(1)))
        assert f"refcoco/train/{name}" in files(copy, "records")
        path.write_bytes(whole)
    index = copy / "refcoco/train/refcoco-train-000000.idx"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:-1]))
    assert "refcoco/train/refcoco-train-000000.idx" in files(copy, "records")


def test_files_that_are_missing_or_too_many(copy):
    extra = copy / "refcoco/train/refcoco-train-000099.tar"
    extra.write_bytes(b"")
    (copy / "notes.txt").write_text("mine")
    lost = ["refcoco-train-000000.tar", "refcoco-train-000001.arrow", "refcoco-train-000001.idx",
            "refcoco-train-000001.json", "samples.arrow"]  # fmt: skip
    for name in lost:
        (copy / "refcoco/train" / name).unlink()
    (copy / "ade20k/val/manifest.json").unlink()
    found = dict(problems(copy, "records"))
    assert {f"refcoco/train/{name}" for name in lost} <= found.keys()
    assert (
        found["refcoco/train/refcoco-train-000099.tar"] == "unexpected file, not written by convert"
    )
    assert found["notes.txt"] == "unexpected file, not written by convert"
    assert "no such file" in found["ade20k/val/manifest.json"]


def test_only_pixels_show_an_undecodable_photo(copy):
    """A shard that is intact in all else: written with a photo that does not decode."""
    import msgspec

    from shards.layout import read_split
    from shards.sample import EncodedImage

    folder = copy / "forged/train"
    sample = next(iter(read_split(copy / "ade20k/train")))
    image = EncodedImage(sample.image.data[:900], "jpg", sample.image.size)
    assert sample.labels is not None
    labels = msgspec.structs.replace(sample.labels, classes=(0,))
    bad = msgspec.structs.replace(sample, key="forged-1", image=image, labels=labels)
    with ShardWriter(folder, "forged-train-000000") as shard:
        shard.add(bad)
        info = shard.commit(task="t", tally=Tally(1))
    from shards.verify.shard import check_shard

    assert list(check_shard(folder, info, 0, deep=False)) == []
    reported = [found.problem for found in check_shard(folder, info, 0, deep=True)]
    assert len(reported) == 3
    assert "forged-1.jpg: does not decode" in reported[0]
    assert "its label map holds the classes" in reported[1]
    assert "which classes.json lacks" in reported[2]


def test_the_command(copy):
    done = command("shards.verify", copy, "--deep")
    assert (done.returncode, done.stdout) == (0, "nothing is wrong\n")
    tar = min((copy / "refcoco/train").glob("*.tar"))
    flip(tar, 3000)
    done = command("shards.verify", copy)
    assert done.returncode == 1
    assert f"refcoco/train/{tar.name}: its sha256 is not the one in its record" in done.stdout
    assert f"refcoco/train/{tar.name}, byte 0: refcoco-" in done.stdout
    assert "delete refcoco-train-000000.json beside it" in done.stdout
    as_json = command("shards.verify", copy, "--json")
    assert as_json.returncode == 1
    assert f"refcoco/train/{tar.name}" in {row["file"] for row in json.loads(as_json.stdout)}
    assert command("shards.verify", copy / "nowhere").returncode == 2


def test_a_run_verifies_its_output(small, draw_miniature, small_shards, capsys):
    (small / "notes.txt").write_text("mine")
    code = run(
        source=["ade20k"], split=["val"], limit=1, workers=0, root=draw_miniature(8).root,
        out=small, config=small_shards,
    )  # fmt: skip
    assert code == 1
    assert "notes.txt: unexpected file, not written by convert" in capsys.readouterr().err


def test_reading_the_records_opens_no_tar(converted, tmp_path):
    """The check at the end of a run takes as long for a terabyte as for a gigabyte."""
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    for tar in out.glob("*/*/*.tar"):
        size = tar.stat().st_size
        tar.write_bytes(b"")
        os.truncate(tar, size)
    assert verify_output(out, "records") == []
    assert len(files(out)) >= len(list(out.glob("*/*/*.tar")))
