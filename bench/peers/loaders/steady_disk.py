"""A disk of a steady rate: the kernel lets some processes read so much of it in a second.

A virtual machine's disk may be three times as fast from one minute to the next, and then says
little of a loader. Needs root, and a control group that limits block devices:
https://docs.kernel.org/admin-guide/cgroup-v1/blkio-controller.html (throttle.read_bps_device) and
https://docs.kernel.org/admin-guide/cgroup-v2.html (io.max).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_BLOCKS = Path("/sys/dev/block")


@contextmanager
def held_to(folder: Path, rate: int) -> Iterator[None]:
    """This process, and those that it starts, read a folder's disk at no more than a rate.

    Args:
        folder: on the disk.
        rate: bytes in a second.

    Raises:
        OSError: if there is no such disk or control group, or it may not be used.
    """
    device = _device(folder.stat().st_dev)
    tree, limit, line = _limit(device, rate)
    home = tree / _own_place(tree).lstrip("/")
    group = tree / f"glamm-shards-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text(line)
        _move_to(group)
        yield
    finally:
        _move_to(home)
        group.rmdir()


def _device(number: int) -> str:
    """major:minor of a whole disk; a partition is limited with its disk."""
    device = f"{os.major(number)}:{os.minor(number)}"
    block = _BLOCKS / device
    if not block.exists():
        raise OSError(f"device {device} is no disk of this machine")
    if (block / "partition").exists():
        return (block.resolve().parent / "dev").read_text().strip()
    return device


def _limit(device: str, rate: int) -> tuple[Path, str, str]:
    """(tree of groups, file of a group, what is written to it)."""
    if (_GROUPS / "blkio/cgroup.procs").exists():
        return _GROUPS / "blkio", "blkio.throttle.read_bps_device", f"{device} {rate}"
    if "io" not in (_GROUPS / "cgroup.controllers").read_text().split():
        raise OSError(f"{_GROUPS} has no control group that limits disks")
    (_GROUPS / "cgroup.subtree_control").write_text("+io")
    return _GROUPS, "io.max", f"{device} rbps={rate}"


def _own_place(tree: Path) -> str:
    """The group of this process in a tree, as a path from its root."""
    wanted = "blkio" if tree.name == "blkio" else ""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        if wanted in controllers.split(","):
            return place
    raise OSError(f"this process is in no group of {tree}")


def _move_to(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
