"""Every damage is found and named; sound output has none."""

import json
import os
import shutil

import pytest

from convert.run import run
from shards.index.dali import DALI
from shards.index.samples import encode_table, read_rows
from shards.manifest import Tally
from shards.verify import verify
from shards.write import ShardWriter
from tests.conftest import command, hash_tree
from tests.unit.test_sample import make


@pytest.fixture
def copy(converted, tmp_path):
    out = tmp_path / "out"
    for source in ("refcoco", "ade20k"):
        shutil.copytree(converted / source, out / source)
    return out


@pytest.fixture
def small(tmp_path, draw_miniature, small_shards):
    """The smallest output there is: one label map in one shard."""
    out = tmp_path / "small"
    root = draw_miniature(8).root
    code = run(
        source=["ade20k"], split=["val"], limit=1, workers=0, root=root, out=out,
        config=small_shards,
    )  # fmt: skip
    assert code == 0
    return out


def problems(out, depth="bytes"):
    return {(found.file, found.problem) for found in verify(out, depth)}


def files(out, depth="bytes"):
    return {found.file for found in verify(out, depth)}


def test_sound_output(converted, converted_defective):
    for out in (converted, converted_defective):
        before = hash_tree(out)
        assert verify(out, "pixels") == []
        assert hash_tree(out) == before


def flip(path, place, bit=1):
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)


def each_flip_is_found(out, step):
    paths = [path for path in sorted(out.rglob("*")) if path.is_file()]
    assert len(paths) == 9  # tar, record, rows, index; manifest, samples, classes; two cards
    flipped = 0
    for path in paths:
        whole = path.read_bytes()
        for place in range(0, len(whole), step):
            flip(path, place, 1 << (place % 8))
            assert verify(out), (path, place)
            path.write_bytes(whole)
            flipped += 1
    assert verify(out) == []
    return flipped


def test_flipped_bits_anywhere(small):
    assert each_flip_is_found(small, step=499) > 40


@pytest.mark.slow
def test_each_flipped_byte(small):
    assert each_flip_is_found(small, step=1) > 10_000


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
    """All records fit each other; only the keys do not."""
    for source in ("one", "two"):
        with ShardWriter(copy / source / "train", f"{source}-train-000000") as shard:
            shard.add(make(key="same-1"))
            shard.commit(task="t", tally=Tally(1), indexes=[DALI])
        from convert.config import Entry, Handling
        from convert.finish import finish_split
        from convert.scan import SplitPlan

        class Stub:
            table = None

        entry = Entry(Stub(), Handling())  # type: ignore[arg-type]
        finish_split(copy / source / "train", entry, source, "train", SplitPlan(1, 1, 0, 0, "d"))
    found = {(f, said) for f, said in problems(copy, "records") if "croissant" not in f}
    assert found == {
        (f"{source}/train/samples.arrow", "the key same-1 comes more than once in the output")
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
    assert found["refcoco/train/refcoco-train-000099.tar"] == "nobody has written it here"
    assert found["notes.txt"] == "nobody has written it here"
    assert "no such file" in found["ade20k/val/manifest.json"]


def test_only_pixels_show_a_photo_that_was_forged(copy):
    """Everything else was made to fit: a shard written again, of a photo that does not decode."""
    import msgspec

    from shards.load.plain import read_split
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
    told = [found.problem for found in check_shard(folder, info, 0, deep=True)]
    assert len(told) == 3
    assert "its photo does not decode" in told[0]
    assert "its label map holds the classes" in told[1]
    assert "which classes.json lacks" in told[2]


def test_the_command(copy):
    done = command("shards.verify", copy, "--deep")
    assert (done.returncode, done.stdout) == (0, "nothing is wrong\n")
    tar = min((copy / "refcoco/train").glob("*.tar"))
    flip(tar, 3000)
    done = command("shards.verify", copy)
    assert done.returncode == 1
    assert f"refcoco/train/{tar.name}: its sha256 is not its record's" in done.stdout
    assert "convert the split again" in done.stdout
    as_json = command("shards.verify", copy, "--json")
    assert as_json.returncode == 1
    assert f"refcoco/train/{tar.name}" in {row["file"] for row in json.loads(as_json.stdout)}
    assert command("shards.verify", copy / "nowhere").returncode == 2


def test_a_run_looks_at_what_it_wrote(small, draw_miniature, small_shards, capsys):
    (small / "notes.txt").write_text("mine")
    code = run(
        source=["ade20k"], split=["val"], limit=1, workers=0, root=draw_miniature(8).root,
        out=small, config=small_shards,
    )  # fmt: skip
    assert code == 1
    assert "notes.txt: nobody has written it here" in capsys.readouterr().err


def test_reading_the_records_opens_no_tar(converted, tmp_path):
    """What the job does before it says done costs the same for a gigabyte and for a terabyte."""
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    for tar in out.glob("*/*/*.tar"):
        size = tar.stat().st_size
        tar.write_bytes(b"")
        os.truncate(tar, size)
    assert verify(out, "records") == []
    assert len(files(out)) >= len(list(out.glob("*/*/*.tar")))
