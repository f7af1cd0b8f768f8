"""Every loader that is measured gives the same samples, byte for byte."""

import io
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import loader as bench
from bench.peers.loaders import bare, contests, ours, registry
from bench.peers.loaders.data import OURS, members, photo_of_size, with_photos, write
from bench.peers.loaders.formats import write_formats
from bench.peers.loaders.large import write_large
from bench.peers.loaders.race import Setting, race
from bench.peers.loaders.steady_disk import limited_to
from bench.peers.loaders.tables import table
from bench.peers.loaders.timed import Timed
from bench.peers.loaders.way import Task
from shards.layout import read_split
from shards.manifest import read_manifest
from shards.sample import Size

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
SAMPLES, BATCH, SIZE = 48, 4, Size(24, 32)
STORED = [name for name, way in registry.WAYS.items() if way.to_stored is not None]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("formats")
    photos = []
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        photos.append(photo_of_size(out.getvalue(), SIZE))
    write(folder, with_photos(photos, SAMPLES), SAMPLES, shards=3)
    write_formats(folder)
    return folder


def task(root: Path) -> Task:
    size = sum(info.bytes for info in read_manifest(root / OURS).shards)
    return Task(root, BATCH, 0, 1, SAMPLES, size)


@pytest.mark.parametrize("name", STORED)
def test_same_samples(root, name) -> None:
    way = registry.WAYS[name]
    if way.missing:
        pytest.skip(f"`make bench-loader` installs {', '.join(way.missing)}")
    assert way.to_stored is not None
    stored = {key: (photo, annotations) for key, photo, annotations in members(root)}
    opened = way.open(task(root))
    found = [sample for item in islice(opened, SAMPLES) for sample in way.to_stored(item)]
    assert len(found) == SAMPLES
    for key, photo, annotations in found:
        assert stored[key] == (bytes(photo), bytes(annotations))
    if name != "Energon":  # whose sequences overlap at the end of an epoch
        assert {key for key, _, _ in found} == stored.keys()


@pytest.mark.parametrize("name", [bare.SEQUENTIAL, bare.READS])
def test_reading_alone_reads_all(root, name) -> None:
    way = registry.WAYS[name]
    assert sum(way.count(item) for item in way.open(task(root))) == pytest.approx(SAMPLES)


@pytest.mark.parametrize("name", contests.DECODED)
def test_decoding_gives_as_many(root, name) -> None:
    way = registry.WAYS[name]
    if way.missing:
        pytest.skip(f"`make bench-loader` installs {', '.join(way.missing)}")
    assert sum(way.count(item) for item in way.open(task(root))) == SAMPLES


def test_a_race_in_processes(root) -> None:
    ways = [bare.READS, ours.ONE]
    for cold, world in ((False, 1), (True, 2)):
        setting = Setting(root, root / OURS, BATCH, 0.01, 2, world=world, cold=cold)
        found = race(setting, ways)
        assert [len(found[way]) for way in ways] == [2, 2]
        timed = [each for runs in found.values() for each in runs]
        assert all(each.samples > 0 and each.peak > each.own > 0 for each in timed)
        made = table("raced", found, contests.OF_WARM, 80_000)
        assert [row.way for row in made.rows] == ways
        facts = {"GB/s", "CPU s per 1,000", "first batch", "memory", "of its own"}
        assert set(made.rows[0].facts) == facts


def test_a_disk_is_limited_to_a_rate(tmp_path) -> None:
    home = Path("/proc/self/cgroup").read_text()
    try:
        with limited_to(tmp_path, 123_456_789):
            assert Path("/proc/self/cgroup").read_text() != home
            [group] = Path("/sys/fs/cgroup").glob(f"**/glamm-shards-bench-{os.getpid()}")
            limits = [*group.glob("io.max"), *group.glob("blkio.throttle.read_bps_device")]
            assert "123456789" in limits[0].read_text()
    except OSError as error:
        pytest.skip(f"disks cannot be held to a rate here: {error}")
    finally:
        assert Path("/proc/self/cgroup").read_text() == home
    assert not group.exists()


def test_a_way_that_fails_is_named(root, tmp_path) -> None:
    with pytest.raises(SystemExit, match="ours, 1 thread failed"):
        race(Setting(tmp_path, root / OURS, BATCH, 0.01, 1), [ours.ONE])


def test_what_is_absent_is_named(monkeypatch) -> None:
    monkeypatch.setattr("bench.peers.loaders.way.find_spec", lambda _name: None)
    present, note = bench.split_ways([ours.ONE, "DALI, CPU", "wids"])
    assert present == [ours.ONE]
    assert note == (
        "Not measured: DALI, CPU (nvidia.dali is not installed); wids (wids is not installed)"
    )


def test_the_limit_is_said() -> None:
    def timed(seconds):
        return [Timed(samples=1, seconds=seconds, cpu=0, first=0, peak=0, own=0)]

    assert bench.limit({bare.READS: timed(0.9), ours.ONE: timed(1.0)}).endswith("is reading")
    assert bench.limit({bare.READS: timed(0.5), ours.ONE: timed(1.0)}).endswith("the hand-over")
    assert bench.limit({bare.DECODES: timed(1.9), ours.CPU: timed(2.0)}).endswith("decoding")


def test_a_large_split_can_be_read(root, tmp_path) -> None:
    large = write_large(root / OURS, tmp_path, 4 * SAMPLES)
    stored = [sample.key for sample in read_split(root / OURS)]
    assert read_manifest(large).samples == 4 * SAMPLES
    way = registry.WAYS[ours.ONE]
    found = [raw.key for batch in way.open(task(tmp_path)) for raw in batch]
    assert sorted(found) == sorted(stored * 4)


def test_all_ways_are_measured() -> None:
    measured = {*contests.RAW, *contests.WORKERS, *contests.DECODED}
    assert measured == registry.WAYS.keys()
