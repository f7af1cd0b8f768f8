"""Headers equal those of tarfile, positions are right, and damage is found."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.errors import CorruptShardError, SampleError
from shards.manifest import Tally
from shards.tar import BLOCK, END, Member, member_bytes, read_members, split_name
from shards.writer import ShardWriter
from tests.unit.shards.test_sample import make

CONTENTS = {"a-1.jpg": b"x", "a-1.mp": b"", "b-2.labels.png": b"y" * 512, "c.txt": b"z" * 513}


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    path = tmp_path / "small.tar"
    path.write_bytes(b"".join(b"".join(member_bytes(*m)) for m in CONTENTS.items()) + END)
    return path


def test_the_file_is_the_one_tarfile_writes(tar, tmp_path) -> None:
    import io

    other = tmp_path / "tarfile.tar"
    with tarfile.open(other, "w", format=tarfile.USTAR_FORMAT) as theirs:
        for name, content in CONTENTS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            theirs.addfile(info, io.BytesIO(content))
    content = other.read_bytes()
    end = len(tar.read_bytes())
    assert content[:end] == tar.read_bytes()
    assert not any(content[end:])  # tarfile fills up to 10 KiB


def test_positions_of_members(tar) -> None:
    content = tar.read_bytes()
    found = list(read_members(tar))
    assert {member.name: data for member, data in found} == CONTENTS
    for member, data in found:
        assert content[member.offset : member.offset + member.size] == data
        assert member.offset % BLOCK == 0
    assert found[0][0] == Member("a-1.jpg", BLOCK, 1)


def test_gnu_tar_lists_it(tar) -> None:
    program = shutil.which("tar")
    if program is None:
        pytest.skip("no tar on this machine")
    listed = subprocess.run([program, "-tf", tar], capture_output=True, text=True, check=True)
    assert (listed.stdout.split(), listed.stderr) == (list(CONTENTS), "")
    subprocess.run([program, "-xf", tar, "-C", tar.parent], check=True)
    assert (tar.parent / "c.txt").read_bytes() == CONTENTS["c.txt"]
    assert (tar.parent / "c.txt").stat().st_mode & 0o777 == 0o644


def test_a_tar_cut_anywhere_is_corrupt(tar) -> None:
    members = {"a-1.jpg": b"x", "a-1.msgpack": b"y" * BLOCK}
    whole = b"".join(b"".join(member_bytes(*m)) for m in members.items()) + END
    tar.write_bytes(whole)
    assert len(list(read_members(tar))) == len(members)
    for length in range(len(whole)):
        tar.write_bytes(whole[:length])
        with pytest.raises(CorruptShardError, match=r"small\.tar"):
            list(read_members(tar))


def test_a_damaged_header_is_corrupt(tar) -> None:
    whole = tar.read_bytes()
    headers = [member.offset - BLOCK for member, _ in read_members(tar)]
    for header in headers:
        for position in range(header, header + 345, 7):
            for flip in (0x01, 0x80):
                damaged = bytearray(whole)
                damaged[position] ^= flip
                tar.write_bytes(damaged)
                with pytest.raises(CorruptShardError):
                    list(read_members(tar))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (slice(124, 136), b"99999999999\0"),
        (slice(124, 136), b"\x80" + b"\xff" * 11),
        (slice(124, 136), b"\xff" * 12),
        (slice(124, 136), b"-1".ljust(12, b"\0")),
        (slice(156, 157), b"5"),
        (slice(156, 157), b"1"),
        (slice(156, 157), b"3"),
        (slice(156, 157), b"x"),
        (slice(156, 157), b"L"),
        (slice(156, 157), b"S"),
        (slice(0, 3), b"\xff\xfe\xfd"),
    ],
    ids=repr,
)
def test_a_crafted_header_is_corrupt_or_a_name(tar, field, value) -> None:
    damaged = bytearray(tar.read_bytes())
    start = 2 * BLOCK
    damaged[start + field.start : start + field.stop] = value
    damaged[start + 148 : start + 156] = b" " * 8
    damaged[start + 148 : start + 156] = b"%06o\0 " % sum(damaged[start : start + BLOCK])
    tar.write_bytes(damaged)
    if field.start == 0:
        assert len(list(read_members(tar))) == len(CONTENTS)
        return
    with pytest.raises(CorruptShardError):
        list(read_members(tar))


@pytest.mark.parametrize("what", ["a folder", "nothing", "a photo", "an empty file"])
def test_other_files_are_not_tars(tmp_path, what) -> None:
    path = tmp_path / "x.tar"
    if what == "a folder":
        path.mkdir()
    elif what != "nothing":
        path.write_bytes({"a photo": b"\xff\xd8\xff\xe0" * 1000, "an empty file": b""}[what])
    with pytest.raises(CorruptShardError, match=r"x\.tar"):
        list(read_members(path))


@given(st.text("abcXYZ019-_./", min_size=1, max_size=100), st.integers(0, 5000))
def test_headers_equal_those_of_tarfile(name, size) -> None:
    header, content, padding = member_bytes(name, bytes(size))
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    assert header == info.tobuf(tarfile.USTAR_FORMAT)
    assert (len(content) + len(padding)) % BLOCK == 0


def test_a_member_too_large_for_a_plain_header() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 8**11

    with pytest.raises(SampleError, match="expected at most 8589934591"):
        member_bytes("a.jpg", Huge())


@pytest.mark.parametrize("name", ["n" * 101, "é.jpg", "a" * 100 + ".jpg"])
def test_names_that_do_not_fit(name) -> None:
    with pytest.raises(SampleError, match="at most 100 bytes"):
        member_bytes(name, b"")


def test_the_longest_name_fits(tmp_path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(member_bytes("n" * 100, b"1")) + END)
    assert [member for member, _ in read_members(path)] == [Member("n" * 100, BLOCK, 1)]


@pytest.mark.parametrize(
    ("name", "key", "extension"),
    [
        ("a.jpg", "a", "jpg"),
        ("a.labels.png", "a", "labels.png"),
        ("x.y/a.b.c", "x.y/a", "b.c"),
        ("a", "a", ""),
        (".a", "", "a"),
    ],
)
def test_names_are_cut_at_their_first_dot(name, key, extension) -> None:
    assert split_name(name) == (key, extension)


def test_every_reader_accepts_it(shared, tmp_path) -> None:
    for number in range(2):
        with ShardWriter(tmp_path, f"a-b-{number:06d}") as shard:
            for item in range(3):
                shard.add(make(key=f"a-{number}-__{item}"))
            shard.commit(task="t", tally=Tally(3))
    done = subprocess.run(
        [sys.executable, shared / "checks" / "check_tar_rules.py", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "samples 6 violations none\n"
