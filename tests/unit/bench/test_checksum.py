"""bench.checksum compares ways that compute the same."""

import re
from argparse import Namespace

import pytest

reader = pytest.importorskip("shards.load.reading._read", reason="not compiled on this machine")
checksum = pytest.importorskip("bench.checksum")


@pytest.fixture(autouse=True)
def _little_data(monkeypatch) -> None:
    monkeypatch.setattr(checksum, "_SIZES", (500, 4000))
    monkeypatch.setattr(checksum, "_HASHED", 40_000)
    monkeypatch.setattr(checksum, "_CACHED", 4000)
    monkeypatch.setattr(checksum, "_MEMORY", 80_000)


@pytest.mark.parametrize("other", [True, False])
def test_every_way_checks_all_samples(*, other: bool) -> None:
    against = reader.__file__ if other else None
    sections = list(checksum.sections(Namespace(against=against)))
    assert len(sections) == 4
    for section in sections:
        assert len(section.ways) == 2 + other
        assert {way() for way in section.ways.values()} == {40_000 // int_of(section.title)}


def int_of(title: str) -> int:
    [size] = re.findall(r"^[\d,]+", title)
    return int(size.replace(",", ""))


def test_another_checksum_is_an_error(monkeypatch) -> None:
    monkeypatch.setattr(checksum, "xxh3_64_intdigest", lambda _: 0)
    with pytest.raises(SystemExit, match="computes another checksum"):
        list(checksum.sections(Namespace(against=None)))


def test_a_file_that_is_no_module_is_an_error(tmp_path) -> None:
    (tmp_path / "file.so").write_bytes(b"")
    with pytest.raises(ImportError):
        checksum.load_build(tmp_path / "file.so")
