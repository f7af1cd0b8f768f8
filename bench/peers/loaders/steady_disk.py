"""Limit reads from a disk to a constant rate.

The speed of a virtual machine's disk may change by a factor of three from one minute to the next,
which hides the differences of loaders. Needs root, and a control group for block devices:
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
def limited_to(folder: Path, rate: int) -> Iterator[None]:
    """Limit this process, and those that it starts, to a rate of reads from a folder's disk.

    Args:
        folder: on the disk.
        rate: bytes per second.

    Raises:
        OSError: if there is no such disk or control group, or this process may not use it.
    """
    device = _device(folder.stat().st_dev)
    tree, limit, line = _limit(device, rate)
    home = tree / _own_group(tree).lstrip("/")
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
    """major:minor of a whole disk: a partition cannot be limited alone."""
    device = f"{os.major(number)}:{os.minor(number)}"
    block = _BLOCKS / device
    if not block.exists():
        raise OSError(f"device {device} is not a disk of this machine")
    if (block / "partition").exists():
        return (block.resolve().parent / "dev").read_text().strip()
    return device


def _limit(device: str, rate: int) -> tuple[Path, str, str]:
    """(tree of groups, file of a group, line to write to it)."""
    if (_GROUPS / "blkio/cgroup.procs").exists():
        return _GROUPS / "blkio", "blkio.throttle.read_bps_device", f"{device} {rate}"
    if "io" not in (_GROUPS / "cgroup.controllers").read_text().split():
        raise OSError(f"{_GROUPS} has no control group that limits disks")
    (_GROUPS / "cgroup.subtree_control").write_text("+io")
    return _GROUPS, "io.max", f"{device} rbps={rate}"


def _own_group(tree: Path) -> str:
    """The group of this process in a tree, as a path from its root."""
    wanted = "blkio" if tree.name == "blkio" else ""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if wanted in controllers.split(","):
            return path
    raise OSError(f"this process is in no group of {tree}")


def _move_to(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
