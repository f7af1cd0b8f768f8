"""The other ways do the same job, and the results of benchmarks can be read."""

import io
import pickle
import socket
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from bench import convert, report
from bench.harness import mixture
from bench.harness.command import Claim, Result, tabulate
from bench.harness.measure import machine
from bench.peers.listing import LISTINGS, list_photos
from bench.peers.timed import MIXED, JobTimes, JobWay, TimedJob, time_way
from bench.peers.ways import DATA, HERE, NAIVE, PAIR, PAIR_STOCK, TIMED, WHOLE, Bench
from convert.config.config import load_config
from convert.demo import draw
from convert.sources.kinds import SOURCES
from shards.layout import to_members

naive = pytest.importorskip("bench.peers.naive", reason="needs cv2, msgpack and webdataset")
IMAGES = 3
# webdataset leaves closing its tars to the garbage collector
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
Samples = dict[str, dict[str, bytes]]
Mask = dict[str, Any]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("peers")
    for name in LISTINGS:
        draw(root, name, images=IMAGES)
    return root


def run_way(way: JobWay, root: Path, out: Path, *, each: bool = False) -> JobTimes:
    out.mkdir()
    config = load_config(convert.write_config(out, dict.fromkeys(LISTINGS, IMAGES)), SOURCES)
    workers = int(way == "naive")
    return time_way(TimedJob(way, root, out, config, tuple(LISTINGS), workers, each))


def read(files: Iterable[Path]) -> Samples:
    samples: Samples = defaultdict(dict)
    for file in files:
        with tarfile.open(file) as tar:
            for member in tar:
                key, _, extension = member.name.partition(".")
                content = tar.extractfile(member)
                assert content is not None
                samples[key][extension] = content.read()
    return dict(samples)


@pytest.fixture(scope="module")
def ours(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[JobTimes, Samples]:
    out = tmp_path_factory.mktemp("ours") / "out"
    timed = run_way("ours", drawn, out)
    return timed, read((out / MIXED).rglob("*.tar"))


def test_the_script_writes_the_same_samples(drawn, ours, tmp_path) -> None:
    timed = run_way("naive", drawn, tmp_path / "out")
    theirs = read((tmp_path / "out" / MIXED).glob("*.tar"))
    assert timed.photos == ours[0].photos
    assert timed.photos[MIXED] == len(theirs)
    assert theirs.keys() == ours[1].keys()
    for key, members in ours[1].items():
        expect_alike(members, theirs[key])


def expect_alike(ours: dict[str, bytes], theirs: dict[str, bytes]) -> None:
    assert ours.keys() == theirs.keys()
    one, other = (msgpack.unpackb(members["mp"]) for members in (ours, theirs))
    for name in ("size", "original_size", "captions"):
        assert one[name] == other[name]
    assert len(one["regions"]) == len(other["regions"])
    for region, same in zip(one["regions"], other["regions"], strict=True):
        for name in ("phrases", "spans", "category"):
            assert region[name] == same[name]
        assert region["box"] == pytest.approx(same["box"])
        expect_same_mask(region["mask"], same["mask"], exact=one["size"] == one["original_size"])
    with Image.open(io.BytesIO(theirs["jpg"])) as photo:
        assert [photo.height, photo.width] == one["size"]
        assert photo.mode == "RGB"
        assert difference(ours["jpg"], theirs["jpg"]) < 2
    if "labels.png" in ours:
        assert difference(ours["labels.png"], theirs["labels.png"]) == 0  # not scaled


def expect_same_mask(one: Mask | None, other: Mask | None, *, exact: bool) -> None:
    """cv2 and PIL round differently, so scaled masks may differ along the outline."""
    if one is None or other is None:
        assert one is other
        return
    assert one["size"] == other["size"]
    mine, same = coco.decode(one), coco.decode(other)
    outline = np.abs(np.diff(mine, axis=0)).sum() + np.abs(np.diff(mine, axis=1)).sum()
    assert (mine != same).sum() <= (0 if exact else outline)
    assert abs(int(mine.sum()) - int(same.sum())) <= (0 if exact else outline / 2)


def difference(one: bytes, other: bytes) -> float:
    pixels = [np.asarray(Image.open(io.BytesIO(data)), np.int16) for data in (one, other)]
    return float(np.abs(pixels[0] - pixels[1]).mean())


def test_kernels_see_every_photo(drawn, ours, tmp_path) -> None:
    timed = run_way("bare", drawn, tmp_path / "out")
    assert timed.photos == ours[0].photos
    alone = run_way("bare", drawn, tmp_path / "alone", each=True)
    assert sum(alone.photos.values()) == timed.photos[MIXED]
    assert all(seconds > 0 for seconds in timed.seconds.values())


def test_unscaled_photos_can_be_copied(drawn) -> None:
    [photo, *_] = list_photos(drawn, "coco_captions")
    assert naive.convert_photo(photo, copy=True)["jpg"] == photo.path.read_bytes()
    assert naive.convert_photo(photo)["jpg"] != photo.path.read_bytes()


def test_a_pool_and_one_process_give_the_same_samples(drawn) -> None:
    photos = [*list_photos(drawn, "refcoco"), *list_photos(drawn, "grandf_ha")]
    alone = {photo.key: naive.convert_photo(photo) for photo in photos}
    with naive.map_photos(naive.convert_photo, photos, 2) as samples:
        assert {sample["__key__"]: sample for sample in samples} == alone


def test_a_batch_of_ray_data_is_the_same_samples(drawn) -> None:
    from bench.peers import ray_data

    photos = [*list_photos(drawn, "ade20k"), *list_photos(drawn, "refcoco")]
    batch = ray_data.convert_batch({"photo": [pickle.dumps(photo) for photo in photos]})
    rows = zip(*batch.values(), strict=True)
    samples = [{k: v for k, v in zip(batch, row, strict=True) if v is not None} for row in rows]
    assert samples == [naive.convert_photo(photo) for photo in photos]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_data_converts_as_many_photos(drawn, ours, tmp_path) -> None:
    for name in ("pandas", "pyarrow"):
        pytest.importorskip(name, reason="Ray Data needs it")
    bench = Bench(drawn, tmp_path, convert.write_config(tmp_path, {}), tuple(LISTINGS))
    assert bench.time(TIMED[DATA], tuple(LISTINGS)).photos == ours[0].photos


def test_the_config_differs_only_in_the_size_of_shards(tmp_path) -> None:
    config = load_config(convert.write_config(tmp_path, {"refcoco": 60}), SOURCES)
    assert config.sources["refcoco"].options.items_per_shard == 60 // convert.SHARDS
    assert config.sources["ade20k"].options.items_per_shard == 1000


def make_benches() -> tuple[Bench, Bench]:
    """(all sources in one job, each source alone)."""
    mixed = JobTimes({MIXED: 4}, {MIXED: 8.0}, peak=5_000_000)
    alone = JobTimes({"refcoco": 2}, {"refcoco": 1.0}, peak=5_000_000)
    whole = {name: [4.0, 4.0] for name in WHOLE}
    benches = [
        Bench(Path(), Path(), Path(), ("refcoco",), timed={name: [timed, timed] for name in TIMED})
        for timed in (mixed, alone)
    ]
    return replace(benches[0], whole=whole), benches[1]


def test_times_are_per_photo() -> None:
    mixed, alone = make_benches()
    commands, job, refcoco = convert.tables(mixed, alone)
    assert {row.seconds for row in commands.rows} == {1.0}
    assert {row.seconds for row in job.rows} == {2.0}
    assert {row.seconds for row in refcoco.rows} == {0.5}
    # a claim with a misspelt way would be dropped silently
    assert len(job.ratios) == len(convert.COMPARED)
    assert {r.goal for r in job.ratios} == {None, 5.0}
    rates = list(convert.describe_rates(mixed.times(MIXED)))
    assert rates[list(TIMED).index(HERE)].split()[-5:] == ["0.50", "photos/s", "0.50", "a", "core"]
    assert rates[-1].split()[-5:] == ["0.50", "photos/s", "0.25", "a", "core"]


def test_claims_about_a_way_that_was_not_timed_are_dropped() -> None:
    mixed, alone = make_benches()
    del mixed.timed["Ray Data, 2 workers"]
    _, job, _ = convert.tables(mixed, alone)
    assert not any("Ray Data" in f"{ratio.way} {ratio.over}" for ratio in job.ratios)


def test_ways_with_stock_pillow_need_its_interpreter(tmp_path, monkeypatch) -> None:
    mixed, _ = make_benches()
    ran: list[str] = []
    monkeypatch.setattr(Bench, "_run_timed", lambda _bench, name: ran.append(name))
    mixed.race([PAIR, PAIR_STOCK], rounds=1)
    assert set(ran) == {PAIR}
    ran.clear()
    replace(mixed, stock=tmp_path).race([PAIR, PAIR_STOCK], rounds=1)
    assert set(ran) == {PAIR, PAIR_STOCK}


def test_photos_of_grand_have_further_names_and_60_masks(tmp_path) -> None:
    drawn = mixture.draw_mixture(tmp_path, (mixture.GRAND,), photo_size="small")
    photos = list_photos(tmp_path, mixture.GRAND)
    assert len({photo.key for photo in photos}) == len(photos)
    assert sum(drawn.values()) > len(photos) > mixture.DRAWN[mixture.GRAND]
    assert {len(photo.regions) for photo in photos} == {60}
    with Image.open(photos[-1].path) as image:
        assert photos[-1].regions[0].mask["size"] == [image.height, image.width]


def test_arguments() -> None:
    line = "--scale 2 --photo-size small --rounds 1 --source refcoco ade20k --json x.json"
    _, bound, _ = convert.app.parse_args(line.split())
    assert bound.arguments == {
        "scale": 2,
        "photo_size": "small",
        "rounds": 1,
        "source": ("refcoco", "ade20k"),
        "json": Path("x.json"),
    }


@LEFT_OPEN
def test_results_do_not_contain_the_host_or_its_paths(tmp_path, capsys) -> None:
    from bench import tar

    file = tmp_path / "tar.json"
    tar.main(samples=2, rounds=1, json=file)
    result = msgspec.json.decode(file.read_bytes(), type=Result)
    assert (result.name, result.machine) == ("tar", machine())
    written, read_ = result.tables
    assert len(written.ratios) == len(tar.CLAIMS)
    assert [ratio.goal for ratio in read_.ratios] == [1.6]
    for text in (file.read_text(), capsys.readouterr().out):
        assert socket.gethostname() not in text
        assert str(tmp_path.parent) not in text


@LEFT_OPEN
def test_webdataset_reads_both_tars(tmp_path) -> None:
    from bench import tar

    samples = [tar.make_sample(number) for number in range(3)]
    assert 95_000 < sum(len(part) for _, part in to_members(samples[0])) < 105_000
    sections = tar.sections(samples, tmp_path)
    write = next(sections)
    write.before()
    for way in write.ways.values():
        way()
    read_ = next(sections)
    keys = [sample.key for sample in samples]
    assert [way() for way in read_.ways.values()] == [keys, keys]


def test_a_page_of_all_results(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="draws the plots")
    times = {NAIVE: [3.0, 3.0], HERE: [1.0, 2.0]}
    one = tabulate("one", times, [Claim(HERE, NAIVE, 2.0)])
    two = tabulate("two", times, [Claim(HERE, NAIVE, 5.0)])
    result = Result("jobs", "a machine", "a library 1.0", [one, two])
    (tmp_path / "jobs.json").write_bytes(msgspec.json.encode(result))
    report.main(tmp_path, docs=tmp_path / "docs")
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "## jobs\n\na machine; a library 1.0\n" in page
    assert f"| {HERE} | {NAIVE} | 2.25 (1.50-3.00) | 2 | met |" in page
    assert f"| {HERE} | {NAIVE} | 2.25 (1.50-3.00) | 5 | **missed** |" in page
    plots = sorted((tmp_path / "docs" / "img").iterdir())
    assert [plot.name for plot in plots] == ["goals.png", "jobs.png"]
    assert all(plot.stat().st_size < 60_000 for plot in plots)
    before = [plot.read_bytes() for plot in plots]
    report.main(tmp_path, docs=tmp_path / "docs")
    assert [plot.read_bytes() for plot in plots] == before


def test_one_section_is_replaced_and_the_others_stay(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="draws the plots")
    docs, first, second = (tmp_path / name for name in ("docs", "first", "second"))

    def measure(folder: Path, name: str, seconds: float) -> None:
        folder.mkdir(exist_ok=True)
        table = tabulate("one", {NAIVE: [3.0], HERE: [seconds]}, [Claim(HERE, NAIVE, 2.0)])
        result = Result(name, "a machine", "", [table])
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(result))

    measure(first, "mask", 1.0)
    measure(first, "tar", 1.0)
    report.main(first, docs=docs)
    before = report.split_page((docs / "benchmarks.md").read_text())
    plot = (docs / "img" / "goals.png").read_bytes()
    measure(second, "tar", 2.0)
    measure(second, "label", 1.0)
    report.main(second, docs=docs)
    after = report.split_page((docs / "benchmarks.md").read_text())
    assert list(after) == ["label", "mask", "tar"]
    assert after["mask"] == before["mask"]
    goals = [goal for name in after for goal in report.find_goals(name, after[name])]
    assert [(goal.ratio, goal.goal, goal.met) for goal in goals] == [
        (3.0, 2.0, True), (3.0, 2.0, True), (1.5, 2.0, False),
    ]  # fmt: skip
    assert (docs / "img" / "goals.png").read_bytes() != plot


def test_a_folder_without_results_is_an_error(tmp_path) -> None:
    with pytest.raises(SystemExit, match=r"no \*\.json"):
        report.main(tmp_path)
