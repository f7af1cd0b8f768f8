"""Our own index: samples by their index, queries without a tar, and damage."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.demo import DRAWINGS
from shards.classes import read_classes
from shards.errors import CorruptShardError
from shards.index.samples import read_rows
from shards.layout import read_split
from shards.load.reading.index import SampleIndex
from shards.load.reading.query import parse
from tests.conftest import command


def splits(out):
    return sorted(path.parent for path in out.rglob("manifest.json"))


def test_every_sample_by_its_index(converted):
    assert {folder.parent.name for folder in splits(converted)} == set(DRAWINGS)
    for folder in splits(converted):
        samples = list(read_split(folder))
        with SampleIndex(folder) as index:
            assert len(index) == len(samples)
            for number in np.random.default_rng(0).permutation(len(samples)):
                assert index[int(number)] == samples[number]
            with pytest.raises(IndexError):
                index[len(index)]


def count(sample, column):
    regions = sample.regions
    return {
        "regions": len(regions),
        "masks": sum(region.mask is not None for region in regions),
        "boxes": sum(region.box is not None for region in regions),
        "phrases": sum(len(region.phrases) for region in regions),
        "captions": len(sample.captions),
        "conversations": len(sample.conversations),
        "height": sample.image.size.height,
        "original_width": sample.original_size.width,
    }[column]


def test_checksums_are_numbers_like_any_other(converted):
    """Half of them are larger than the largest signed number."""
    for folder in splits(converted):
        with SampleIndex(folder) as index:
            checksums = np.asarray(index._listing.rows.column("checksum"))
            for bound in (0, -1, 10**17):
                found = index.where(f"checksum > {bound}")
                assert (
                    found.tolist()
                    == np.flatnonzero([int(each) > bound for each in checksums]).tolist()
                )


COLUMNS = ("regions", "masks", "boxes", "phrases", "captions", "conversations", "height",
           "original_width")  # fmt: skip
OPERATORS = {
    "=": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater,
    ">=": np.greater_equal,
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_numbers_are_compared(converted, column):
    for folder in splits(converted):
        values = np.array([count(sample, column) for sample in read_split(folder)])
        with SampleIndex(folder) as index:
            for sign, compare in OPERATORS.items():
                middle = int(np.median(values))
                found = index.where(f"{column} {sign} {middle}")
                assert np.array_equal(found, np.flatnonzero(compare(values, middle)))


def test_classes_of_regions_and_of_label_maps(converted):
    queries = 0
    for folder in splits(converted):
        names = {info.id: info.name for info in read_classes(folder)}
        samples = list(read_split(folder))
        present = [
            {r.category for r in sample.regions}
            | {names[i] for i in (sample.labels.classes if sample.labels else ())}
            for sample in samples
        ]
        with SampleIndex(folder) as index:
            for name in sorted(set().union(*present) - {""})[:5]:
                found = index.where(f'classes contains "{name}" and width > 0')
                assert found.tolist() == [n for n, names_ in enumerate(present) if name in names_]
                queries += 1
            assert index.where("classes contains 'no such thing'").size == 0
    assert queries > 50


def test_queries_need_no_tar(converted, tmp_path):
    folder = tmp_path / "train"
    shutil.copytree(converted / "ade20k/train", folder, ignore=shutil.ignore_patterns("*.tar"))
    assert not list(folder.glob("*.tar"))
    with SampleIndex(folder) as index, SampleIndex(converted / "ade20k/train") as whole:
        for query in ("masks >= 3", "classes contains 'sky' and width > 0", "height > 1"):
            assert index.where(query).tolist() == whole.where(query).tolist()
        assert index.where("height > 1").size == len(index)


def test_a_column_that_a_later_version_has(converted, tmp_path):
    """docs/format.md: a new field does not change the version; a missing one is an error."""
    path = converted / "refcoco/train/samples.arrow"
    rows = pa.ipc.open_file(str(path)).read_all()
    later = rows.append_column("mood", pa.array(["good"] * len(rows)))
    for table, name in ((later, "later"), (rows.drop_columns(["masks"]), "without")):
        with (
            pa.OSFile(str(tmp_path / name), "wb") as stream,
            pa.ipc.new_file(stream, table.schema) as writer,
        ):
            writer.write_table(table)
    assert read_rows(tmp_path / "later").equals(read_rows(path))
    with pytest.raises(CorruptShardError, match="without: the columns masks are missing"):
        read_rows(tmp_path / "without")


def test_the_classes_of_a_label_map_are_those_in_its_pixels(converted):
    import io

    from PIL import Image

    for source in ("ade20k", "coco_stuff", "mapillary"):
        for sample in read_split(converted / source / "train"):
            assert sample.labels is not None
            pixels = np.asarray(Image.open(io.BytesIO(sample.labels.png)))
            assert sample.labels.classes == tuple(sorted(set(np.unique(pixels).tolist()) - {255}))


@pytest.mark.parametrize(
    "query",
    ["", "masks", "masks >", "masks > many", "mask > 1", "masks > 1 or boxes > 1", "classes > 1",
     "key > 3", "masks > 'x'", "masks contains 3", "classes contains 3", "masks > 1 and",
     "label_classes contains 'x'", "__import__('os')"],
)  # fmt: skip
def test_invalid_queries(converted, query):
    with SampleIndex(converted / "refcoco/train") as index, pytest.raises(ValueError, match=r".+"):
        index.where(query)


@given(st.text())
def test_any_text_is_a_query_or_an_error(text):
    try:
        assert parse(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - anything else would be raised


def test_reading_finds_a_flipped_bit(converted, tmp_path):
    folder = tmp_path / "train"
    shutil.copytree(converted / "refcoco/train", folder)
    tar = min(folder.glob("*.tar"))
    content = bytearray(tar.read_bytes())
    row = read_rows(folder / "samples.arrow").slice(1, 1).to_pylist()[0]
    content[row["offset"] + row["size"] // 2] ^= 1
    tar.write_bytes(content)
    with SampleIndex(folder) as index:
        assert index[0].regions
        with pytest.raises(CorruptShardError, match=r"000000\.tar, byte \d+: the sample is not"):
            index[1]
        tar.unlink()
    with SampleIndex(folder) as index, pytest.raises(CorruptShardError, match="No such file"):
        index[0]


def test_formats_are_added_to_finished_shards(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    expected = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.idx")}
    assert expected
    for path in out.rglob("*.idx"):
        path.unlink()
    done = command("shards.index", out, "--format", "dali")
    assert (done.returncode, done.stderr) == (0, f"{len(expected)} files written\n")
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*.idx")} == expected
    again = command("shards.index", out, "--format", "dali")
    assert (again.returncode, again.stderr) == (0, "0 files written\n")
    wrong = command("shards.index", out, "--format", "daly")
    assert wrong.returncode == 2
    assert "no format daly; expected dali" in wrong.stderr
