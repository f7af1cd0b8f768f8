"""Mistakes on the command line, misplaced files and broken downloads: messages and exit status."""

import json
import pickle
import shutil

import pytest

from convert.demo import draw
from convert.run import run
from shards.layout import read_split
from tests.conftest import command, hash_tree, write_config

FOUR = ("grandf_ha", "ade20k", "refcoco", "coco_captions")


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """A root with four different sources."""
    root = tmp_path_factory.mktemp("four")
    for name in FOUR:
        draw(root, name, images=8)
    return root


@pytest.fixture(scope="module")
def converted(four, small_shards, tmp_path_factory):
    out = tmp_path_factory.mktemp("four-shards")
    assert run(all_=True, workers=0, root=four, out=out, config=small_shards) == 0
    return out


@pytest.fixture
def copy(four, tmp_path):
    """A copy of the four sources for changes."""
    root = tmp_path / "data"
    shutil.copytree(four, root)
    return root


def convert(root, out, config, **options):
    options = {"all_": True, "workers": 0, **options}
    return run(root=root, out=out, config=config, **options)


def test_a_wrong_root_is_one_error_before_any_work(tmp_path, small_shards, capsys):
    out = tmp_path / "out"
    assert convert(tmp_path / "nowhere", out, small_shards) == 2
    assert "no such folder" in capsys.readouterr().err
    assert not out.exists()


def test_an_empty_root_is_an_error_with_the_missing_paths(tmp_path, small_shards, capsys):
    root = tmp_path / "empty"
    root.mkdir()
    assert convert(root, tmp_path / "out", small_shards) == 2
    error = capsys.readouterr().err
    for path in ("Refer_Segm/refcoco", "Semantic_Segm/ade20k", "coco_2017", "GranDf"):
        assert path in error


def test_output_over_the_data_is_refused(copy, small_shards, capsys):
    before = hash_tree(copy)
    assert convert(copy, copy, small_shards) == 2
    assert convert(copy, copy.parent, small_shards) == 2
    assert "--out" in capsys.readouterr().err
    assert hash_tree(copy) == before


def test_an_unreadable_annotation_file_stops_before_any_work(copy, tmp_path, small_shards, capsys):
    path = copy / "coco_2017/annotations/captions_train2017.json"
    path.write_bytes(path.read_bytes()[:-100])
    instances = copy / "Refer_Segm/refcoco/instances.json"
    instances.write_text('{"images": [{"id": "seven"}]}')
    assert convert(copy, tmp_path / "out", small_shards) == 2
    error = capsys.readouterr().err
    assert "captions_train2017.json" in error
    assert "instances.json" in error
    assert "$.images[0]" in error
    assert not list((tmp_path / "out").rglob("*.tar"))


def test_an_unknown_key_in_the_config_is_named(copy, tmp_path, capsys):
    config = write_config(tmp_path, items_per_shard=3)
    config.write_text(config.read_text() + "qality: 3\n")
    assert convert(copy, tmp_path / "out", config) == 2
    error = capsys.readouterr().err
    assert "qality" in error
    assert "max_rejected" in error


def test_an_absent_source_is_loud_and_can_be_an_error(copy, tmp_path, small_shards, capsys):
    shutil.rmtree(copy / "Refer_Segm")
    shutil.rmtree(copy / "coco_2017/val2017")
    assert convert(copy, tmp_path / "out", small_shards, require_all=True) == 2
    assert convert(copy, tmp_path / "out", small_shards) == 0
    error = capsys.readouterr().err
    assert "ABSENT refcoco: no refs (Refer_Segm/refcoco/refs(unc).p)" in error
    assert "ABSENT coco_captions/val: no photos of val (coco_2017/val2017)" in error
    assert (tmp_path / "out/coco_captions/train/manifest.json").is_file()
    assert convert(copy, tmp_path / "out", small_shards, all_=False, source=["refcoco"]) == 2


def test_too_many_rejects_fail_the_run_and_the_row_says_why(copy, tmp_path, small_shards, capsys):
    photo = min((copy / "coco_2017/train2017").iterdir())
    photo.unlink()
    out = tmp_path / "out"
    assert convert(copy, out, small_shards) == 1
    output = capsys.readouterr()
    assert "1 ImageMissingError" in output.out
    assert "coco_captions: 1 of" in output.err
    rows = [
        json.loads(line)
        for path in (out / "coco_captions").rglob("*.rejects.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert [row["file"] for row in rows] == [photo.name]
    assert rows[0]["message"].startswith("no such file; looked for coco_2017/train2017/")
    assert convert(copy, out, small_shards, max_rejected=0.5) == 0


def test_filtered_items_are_counted_by_filter(copy, tmp_path, small_shards, capsys):
    config = tmp_path / "glamm.yaml"
    before = "  coco_captions:\n    kind: annotation_files\n"
    text = small_shards.read_text()
    assert before in text
    rules = "    filters: {shortest_side: 120, caption_words: 9}\n"
    config.write_text(text.replace(before, before + rules))
    (tmp_path / "classes").symlink_to(small_shards.parent / "classes")
    out = tmp_path / "out"
    assert convert(copy, out, config, all_=False, source=["coco_captions"]) == 0
    output = capsys.readouterr().out
    rows = [
        json.loads(line)
        for path in (out / "coco_captions").rglob("*.rejects.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert rows
    assert {row["error"] for row in rows} == {"filter shortest_side"}
    assert "4 - 2 shortest_side" in " ".join(output.split())
    assert "x caption left out by caption_words" in output
    samples = [s for split in ("train", "val") for s in read_split(out / "coco_captions" / split)]
    assert len(samples) + len(rows) == 8
    assert min(min(s.original_size.height, s.original_size.width) for s in samples) >= 120
    assert min(len(text.split()) for sample in samples for text in sample.captions) >= 9


def test_repaired_files_are_converted_on_request(copy, converted, tmp_path, small_shards):
    photo = min((copy / "coco_2017/train2017").iterdir())
    content = photo.read_bytes()
    photo.unlink()
    out = tmp_path / "out"
    assert convert(copy, out, small_shards) == 1
    photo.write_bytes(content)
    assert convert(copy, out, small_shards) == 1
    assert convert(copy, out, small_shards, retry_rejected=True) == 0
    assert hash_tree(out) == hash_tree(converted)


class Evil:
    """Writes a file when unpickled by a careless reader."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_with_a_global_is_rejected(copy, tmp_path, small_shards, capsys):
    mark = tmp_path / "obeyed"
    refs = copy / "Refer_Segm/refcoco/refs(unc).p"
    refs.write_bytes(pickle.dumps([Evil(mark)]))
    out = tmp_path / "out"
    assert convert(copy, out, small_shards) == 1
    assert not mark.exists()
    assert "UnsafePickleError" in capsys.readouterr().err
    row = json.loads((out / "refcoco/rejects.jsonl").read_text())
    assert row["error"] == "UnsafePickleError"
    assert "refs(unc).p" in row["message"]
    assert (out / "coco_captions/train/manifest.json").is_file()


def test_shards_of_another_plan_are_overwritten_only_on_request(copy, converted, tmp_path, capsys):
    out = tmp_path / "out"
    three = write_config(tmp_path, items_per_shard=3)
    assert convert(copy, out, three) == 0
    before = hash_tree(out)
    assert convert(copy, out, three, limit=1) == 2
    error = capsys.readouterr().err
    assert "another plan" in error
    assert "--replace" in error
    assert {n: h for n, h in hash_tree(out).items() if not n.startswith(".")} == before
    assert convert(copy, out, three, limit=1, replace=True) == 0
    manifests = list(out.rglob("manifest.json"))
    assert all(json.loads(path.read_text())["samples"] == 1 for path in manifests)
    assert len(list(out.rglob("*.tar"))) == len(manifests)
    assert convert(copy, out, three, replace=True) == 0
    assert hash_tree(out) == hash_tree(converted)


def test_two_runs_do_not_share_an_output(copy, tmp_path, small_shards, capsys):
    from shards.storage import exclusive

    out = tmp_path / "out"
    out.mkdir()
    with exclusive(out):
        assert convert(copy, out, small_shards) == 2
    assert "another run" in capsys.readouterr().err


def test_command_lines():
    help_text = command("convert.run", "--help")
    assert help_text.returncode == 0
    assert "--workers" in help_text.stdout
    assert command("convert.run").returncode == 2
    assert command("convert.run", "--all", "--workers", "-3").returncode != 0
    assert command("convert.run", "--all", "--sorce", "x").returncode != 0


def test_a_database_that_is_cut_short_is_reported_before_it_kills_a_worker(
    tmp_path, small_shards, capsys
):
    root = tmp_path / "data"
    draw(root, "grand_caption", images=30)
    data = root / "GranD_Data/Grand_Caption_Grounding_lmdb/data.mdb"
    data.write_bytes(data.read_bytes()[:-20_000])
    assert convert(root, tmp_path / "out", small_shards) == 2
    assert "Grand_Caption_Grounding_lmdb is cut short" in capsys.readouterr().err
