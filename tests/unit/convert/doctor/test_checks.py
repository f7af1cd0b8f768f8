"""The doctor learns about a source through protocols alone, so a source of any kind will do."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from convert.config.config import SourceConfig, SourceOptions
from convert.config.published import Published
from convert.doctor import Diagnosis, check_source
from convert.doctor.listing import FolderListing
from convert.errors import SourceLayoutError
from convert.record import Item, LabelTable, Record
from convert.sources.files import DataRoot
from convert.sources.grand import Grand
from convert.sources.label_folders import LabelFolders
from convert.sources.source import (
    HasEmptySplits,
    HasLabelTable,
    Need,
    Remark,
    SelfChecking,
    Source,
    label_table,
)

FACTS = Published(addresses="http://example.org/all.zip")
TABLE = LabelTable("none", bytes(256), bytes(256), ())


@dataclass(frozen=True)
class Plain:
    """A source with what every source has, and nothing else."""

    splits: tuple[str, ...] = ("train", "val")

    def needs(self) -> tuple[Need, ...]:
        return Need("database", ("rows",), holds="rows.bin"), Need("photos", ("photos",))

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        del root, splits
        yield Item("one", "train")

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        del root
        return nullcontext(lambda item: Record(photo=(f"photos/{item.id}.jpg",), file=item.id))


@dataclass(frozen=True)
class WithEmptySplits(Plain):
    may_be_empty: ClassVar[Collection[str]] = ("val",)


@dataclass(frozen=True)
class WithRemarks(Plain):
    remarks: tuple[Remark, ...] = ()

    def check(self, root: DataRoot) -> Iterator[Remark]:
        del root
        yield from self.remarks


@dataclass(frozen=True)
class Unreadable(WithRemarks):
    remarks: tuple[Remark, ...] = (Remark("unreadable", "rows is cut short"),)

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        del root, splits
        raise AssertionError("a file that its source reported as unreadable was read")


@dataclass(frozen=True)
class FailingCheck(Plain):
    def check(self, root: DataRoot) -> Iterator[Remark]:
        del root
        raise SourceLayoutError("rows: no list of keys")
        yield Remark("note", "never reached")


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/rows.bin").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.jpg").write_bytes(b"photo")
    return DataRoot(tmp_path)


def diagnose(source: Source, root: DataRoot) -> Diagnosis:
    return check_source("any", SourceConfig(source, SourceOptions()), FolderListing(root), FACTS)


def test_an_empty_split_is_a_problem_unless_the_source_allows_it(root) -> None:
    plain, allowed = diagnose(Plain(), root), diagnose(WithEmptySplits(), root)
    assert (plain.state, allowed.state) == ("incomplete", "ready")
    texts = [(finding.problem, finding.text) for finding in (*plain.findings, *allowed.findings)]
    text = "no photos of val in rows; is it of another edition?"
    assert texts == [(True, text), (False, text)]


@pytest.mark.parametrize(
    ("severity", "state"), [("wrong", "incomplete"), ("note", "incomplete"), ("note", "ready")]
)
def test_the_remarks_of_a_source_are_findings(root, severity, state) -> None:
    splits = ("train",) if state == "ready" else ("train", "val")
    found = diagnose(WithRemarks(splits, (Remark(severity, "rows is of 1999"),)), root)
    assert found.state == state
    (finding,) = [finding for finding in found.findings if finding.text == "rows is of 1999"]
    assert finding.problem == (severity == "wrong")
    assert finding.remedy == ("get it: http://example.org/all.zip" if finding.problem else "")


def test_an_unreadable_file_is_reported_and_not_read(root) -> None:
    found = diagnose(Unreadable(), root)
    assert [(f.problem, f.text) for f in found.findings] == [(True, "rows is cut short")]
    assert (found.state, found.photos) == ("incomplete", {})


def test_a_check_that_raises_is_a_finding(root) -> None:
    (finding,) = diagnose(FailingCheck(), root).findings
    assert finding.text == "rows: no list of keys"


def test_a_folder_without_its_file(root) -> None:
    (root.path / "rows/rows.bin").rename(root.path / "rows/other.bin")
    (finding,) = diagnose(Plain(), root).findings
    assert finding.text == "rows has no rows.bin in it"
    (root.path / "rows/inner").mkdir()
    (root.path / "rows/inner/rows.bin").touch()
    (finding,) = diagnose(Plain(), root).findings
    assert finding.remedy.startswith("find rows/inner/ ")


@pytest.mark.parametrize("present", [[], ["photos"], ["database"]])
def test_a_missing_folder_of_grand_is_one_finding(tmp_path, present) -> None:
    for name in present:
        (tmp_path / name).mkdir()
        (tmp_path / name / "anything").touch()
    source = Grand(("database",), ("photos",), "captions")
    texts = [finding.text for finding in diagnose(source, DataRoot(tmp_path)).findings]
    missing = [name for name in ("database", "photos") if name not in present]
    expected = [f"no {name}: {name} is not there" for name in missing]
    if "database" in present:
        expected.append("database has no data.mdb in it")
    assert texts == expected


def test_each_source_has_the_protocols_it_needs() -> None:
    grand, folders = Grand((), (), "captions"), LabelFolders({}, {}, TABLE)
    plain = Plain()
    assert isinstance(grand, SelfChecking)
    assert isinstance(grand, HasEmptySplits)
    assert isinstance(folders, SelfChecking)
    assert isinstance(folders, HasLabelTable)
    assert not isinstance(grand, HasLabelTable)
    assert not isinstance(plain, SelfChecking | HasEmptySplits | HasLabelTable)
    assert label_table(folders) is TABLE
    assert label_table(plain) is None
