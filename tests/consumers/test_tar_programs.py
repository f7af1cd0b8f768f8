"""GNU tar and bsdtar list and unpack every shard."""

import shutil
import subprocess

import pytest

from shards.tar import read_members

pytestmark = pytest.mark.consumers


def find(program):
    """The program that has this name in its `--version`."""
    for name in ("tar", program, "gtar"):
        path = shutil.which(name)
        if path and program in run(path, "--version").lower():
            return path
    pytest.skip(f"no {program} on this machine")
    return None


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["gnu tar", "bsdtar"])
def test_same_names_and_same_bytes(converted, tmp_path, program):
    tar = find(program)
    shards = sorted(converted.rglob("*.tar"))
    assert shards
    for shard in shards:
        expected = {member.name: content for member, content in read_members(shard)}
        assert run(tar, "-tf", shard).splitlines() == list(expected)
        folder = tmp_path / shard.stem
        folder.mkdir()
        run(tar, "-xf", shard, "-C", folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} <= {0o644}
