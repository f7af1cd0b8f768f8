"""Records and manifests: canonical bytes, sums, and damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.classes import ClassInfo, read_classes
from shards.errors import CorruptShardError
from shards.manifest import (
    FORMAT_VERSION,
    ShardInfo,
    Tally,
    build_manifest,
    encode_json,
    read_info,
    read_manifest,
    sum_tallies,
)

_counts = st.dictionaries(st.text(max_size=5), st.integers(0, 2**40), max_size=3)
_tallies = st.builds(Tally, st.integers(0, 2**40), _counts, _counts, st.integers(0, 2**60))
_infos = st.builds(
    ShardInfo, st.text(), st.integers(0, 2**40), st.integers(0, 2**60), st.text(), st.text(),
    _tallies,
)  # fmt: skip
POLICY = {"quality": 95, "subsampling": "4:2:0"}


@settings(max_examples=40)
@given(st.lists(_infos, max_size=4))
def test_a_manifest_has_the_sums_of_its_shards(tmp_path_factory, infos) -> None:
    folder = tmp_path_factory.mktemp("split")
    manifest = build_manifest("a", "b", "plan", POLICY, infos)
    (folder / "manifest.json").write_bytes(encode_json(manifest))
    found = read_manifest(folder)
    assert found == manifest
    assert encode_json(found) == encode_json(manifest)
    assert found.format_version == FORMAT_VERSION
    assert (found.samples, found.bytes) == (
        sum(i.samples for i in infos),
        sum(i.bytes for i in infos),
    )
    assert found.tally.items == sum(i.tally.items for i in infos)
    for kind in ("rejected", "notes"):
        counts = getattr(found.tally, kind)
        assert list(counts) == sorted(counts)
        for name in {name for info in infos for name in getattr(info.tally, kind)}:
            assert counts[name] == sum(getattr(i.tally, kind).get(name, 0) for i in infos)
    if infos:
        (folder / "x.json").write_bytes(encode_json(infos[0]))
        assert read_info(folder / "x.json") == infos[0]


def test_equal_values_have_equal_bytes() -> None:
    one = ShardInfo("n", 1, 2, "s", "t", Tally(3, {"a": 1, "b": 2}, {"c": 1}, 4))
    two = ShardInfo("n", 1, 2, "s", "t", Tally(3, {"b": 2, "a": 1}, {"c": 1}, 4))
    assert encode_json(one) == encode_json(two)
    assert encode_json(one) == (
        b'{\n  "bytes": 2,\n  "files": {},\n  "name": "n",\n  "samples": 1,\n'
        b'  "sha256": "s",\n  "tally": {\n'
        b'    "bytes_in": 4,\n    "filtered": {},\n    "items": 3,\n'
        b'    "notes": {\n      "c": 1\n    },\n'
        b'    "rejected": {\n      "a": 1,\n      "b": 2\n    }\n  },\n  "task": "t"\n}\n'
    )


def test_the_sum_of_no_tallies() -> None:
    assert sum_tallies([]) == Tally()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"name": "\xff"}', b'{"name": "n"}', b"[" * 100_000]
)
def test_damaged_files(tmp_path, content) -> None:
    for name in ("manifest.json", "classes.json", "x.json"):
        (tmp_path / name).write_bytes(content)
    assert read_info(tmp_path / "x.json") is None
    with pytest.raises(CorruptShardError, match=r"manifest\.json: not a manifest"):
        read_manifest(tmp_path)
    if content != b"[]":
        with pytest.raises(CorruptShardError, match=r"classes\.json: not a table"):
            read_classes(tmp_path)


def test_absent_files(tmp_path) -> None:
    assert read_info(tmp_path / "x.json") is None
    assert read_classes(tmp_path) == ()
    with pytest.raises(CorruptShardError, match="no such file; expected a folder like"):
        read_manifest(tmp_path)


def test_an_unknown_format_version_is_an_error(tmp_path) -> None:
    content = encode_json(build_manifest("a", "b", "plan", POLICY, []))
    later = content.replace(b'"format_version": 1', b'"format_version": 2')
    assert later != content
    (tmp_path / "manifest.json").write_bytes(later)
    with pytest.raises(CorruptShardError, match="version 2"):
        read_manifest(tmp_path)


def test_classes_come_back(tmp_path) -> None:
    classes = (ClassInfo(0, "wall"), ClassInfo(254, "é", ("stuff", "ignored by GLaMM")))
    (tmp_path / "classes.json").write_bytes(encode_json(classes))
    assert read_classes(tmp_path) == classes
