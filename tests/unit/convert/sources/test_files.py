"""Names out of annotations reach files below the root, or are refused; none is a crash."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.errors import ImageBudgetError, RecordError, SourceLayoutError, UnsafePathError
from convert.sources.files import DataRoot, join_paths, safe_path

ESCAPES = [
    "../secret", "a/../../secret", "a/..", "..", "/etc/passwd", "//etc/passwd", "a\0b", "a\\b",
    "..\\secret", "C:\\secret", "a\nb", "a\rb", "a\tb", "\x1b[2J", "", ".", "./", "\ud800",
    "a/\udfff.jpg",
]  # fmt: skip


@pytest.fixture
def root(tmp_path) -> DataRoot:
    folder = tmp_path / "data"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "photo.jpg").write_bytes(b"12345")
    (folder / "é 🙂..jpg").write_bytes(b"odd")
    (tmp_path / "secret").write_bytes(b"secret")
    return DataRoot(folder)


@pytest.mark.parametrize("path", ESCAPES, ids=ascii)
def test_escapes(root, path) -> None:
    for use in (
        lambda: safe_path(path),
        lambda: root.read_first((path,), max_bytes=9),
        lambda: root.read_first(("absent", path), max_bytes=9),
        lambda: root.find((path,)),
        lambda: root.read_annotation(path),
    ):
        with pytest.raises(UnsafePathError, match="below the data's folder"):
            use()


def test_the_first_that_exists(root) -> None:
    assert root.read_first(("absent", "a/photo.jpg"), max_bytes=5) == ("a/photo.jpg", b"12345")
    assert root.read_first(("é 🙂..jpg", "a/photo.jpg"), max_bytes=5) == ("é 🙂..jpg", b"odd")
    assert root.read_first((), max_bytes=5) is None
    assert root.find(("absent", "a", "a/photo.jpg")) == "a"
    assert root.find(("absent",)) is None


MISSING = {
    "no such file": "a/absent.jpg",
    "no such folder": "absent/photo.jpg",
    "a file as a folder": "a/photo.jpg/x.jpg",
    "a folder": "a",
    "a name of 256 bytes": "a/" + "n" * 252 + ".jpg",
    "a name of 200 characters, 400 bytes": "a/" + "é" * 200,
    "a path of 9,000 bytes": "a/" * 4500 + "x.jpg",
}


@pytest.mark.parametrize("path", MISSING.values(), ids=MISSING)
def test_what_is_not_there_is_missing(root, path) -> None:
    assert root.read_first((path,), max_bytes=5) is None
    assert root.read_first((path, "a/photo.jpg"), max_bytes=5) == ("a/photo.jpg", b"12345")
    with pytest.raises(SourceLayoutError, match="expected a readable file"):
        root.read_annotation(path)


def test_large_files_are_not_read(root) -> None:
    with pytest.raises(ImageBudgetError, match=r"a/photo\.jpg: 5 bytes, the limit is 4"):
        root.read_first(("a/photo.jpg",), max_bytes=4)
    with (root.path / "sparse").open("wb") as stream:
        stream.truncate(10**12)
    with pytest.raises(ImageBudgetError):
        root.read_first(("sparse",), max_bytes=10**6)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_disk_that_refuses_is_no_fault_of_the_data(root) -> None:
    (root.path / "a" / "photo.jpg").chmod(0)
    with pytest.raises(PermissionError):
        root.read_first(("a/photo.jpg",), max_bytes=5)


def test_links_of_the_owner_are_followed(root, tmp_path) -> None:
    (root.path / "link").symlink_to(tmp_path / "secret")
    (root.path / "round").symlink_to("round")
    assert root.read_first(("link",), max_bytes=9) == ("link", b"secret")
    assert root.find(("round",)) is None


def test_names_are_sorted_and_hidden_ones_left_out(root) -> None:
    for name in ("b.jpg", "a.png", ".hidden.jpg", "B.jpg"):
        (root.path / "a" / name).touch()
    assert root.names("a", ".jpg") == ["B.jpg", "b.jpg", "photo.jpg"]
    for path in ("absent", "a/b.jpg"):
        with pytest.raises(SourceLayoutError, match="expected a folder"):
            root.names(path, ".jpg")


def test_joining() -> None:
    assert join_paths(("a", "b/c"), "x.jpg") == ("a/x.jpg", "b/c/x.jpg")


@settings(max_examples=300)
@given(st.text(st.characters(codec=None), max_size=20) | st.text("./\\ab~\0", max_size=10))
def test_no_name_leaves_the_root_or_crashes(tmp_path_factory, path) -> None:
    folder = tmp_path_factory.getbasetemp() / "root-of-any-name"
    folder.mkdir(exist_ok=True)
    try:
        inside = DataRoot(folder).path / safe_path(path)
        assert os.path.normpath(inside).startswith(f"{folder}/")
        assert DataRoot(folder).read_first((path,), max_bytes=1) is None
    except RecordError:
        return
