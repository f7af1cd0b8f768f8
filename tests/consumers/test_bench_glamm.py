"""The peer that GLaMM's examples are measured against returns the same values."""

from argparse import Namespace
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("cv2")

from bench import glamm  # noqa: E402 - after importorskip
from bench.harness.command import measure  # noqa: E402 - after importorskip
from bench.peers.glamm import ReferenceReader, clip_at_its_least, clip_of_transformers  # noqa: E402 - after importorskip
from bench.peers.glamm_items import LISTINGS, list_items  # noqa: E402 - after importorskip
from bench.peers.glamm_loader import collate, halve, one_thread, open_batches  # noqa: E402 - after importorskip
from convert.demo import draw  # noqa: E402 - after importorskip
from shards.glamm import SOURCES, ExampleError, Settings, examples_for  # noqa: E402 - after importorskip
from shards.layout import read_split  # noqa: E402 - after importorskip

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def threads():
    """cv2's threads do not survive in a forked process."""
    one_thread()


def test_every_source_is_measured():
    assert set(LISTINGS) == set(SOURCES) == {s for group in glamm.GROUPS.values() for s in group}


def test_photos_without_a_caption_are_not_listed(tmp_path):
    draw(tmp_path, "grand_caption", images=8)
    assert all(item.texts for item in list_items(tmp_path, "grand_caption"))


@pytest.mark.parametrize("source", SOURCES)
def test_the_peer_returns_the_same_ten_values(miniature, converted, source):
    """Both encoders' inputs are equal for unscaled photos; the types are equal for all photos."""
    folder = converted / source / "train"
    (examples,) = examples_for(folder)
    samples = {Path(sample.file).name: sample for sample in read_split(folder)}
    reader = ReferenceReader(clip_of_transformers(), Random(0))
    compared = 0
    for item in list_items(miniature.root, source):
        sample = samples.get(item.path.name)
        if sample is None:  # of another split: label maps are listed by folder
            continue
        try:
            ours = examples(sample, 1)
        except ExampleError:
            continue
        theirs = reader(item)
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert (one is None) == (other is None), index
        assert torch.equal(ReferenceReader(clip_at_its_least, Random(0))(item)[1], theirs[1])
        if sample.image.size == sample.original_size:
            assert torch.equal(ours[1], theirs[1])
            assert ours[2] is None or torch.equal(ours[2], theirs[2])
            assert ours[7] == theirs[7]
            if ours[5] is not None:
                assert ours[5].shape[1:] == theirs[5].shape[1:]
        if ours[5] is not None:
            assert theirs[5].shape[1:] == theirs[6].shape
            assert theirs[5].any()
        compared += 1
    assert compared


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_the_peer(miniature, workers):
    items = list_items(miniature.root, "refcoco")[:2]
    captions = list_items(miniature.root, "coco_captions")[:3]
    loader = open_batches(ReferenceReader(clip_at_its_least, Random(0)), [items, captions], workers)
    first, second = (halve(batch) for batch in loader)
    assert first["grounding_enc_images"].shape == (2, 3, 1024, 1024)
    assert first["grounding_enc_images"].dtype == torch.bfloat16
    assert second["global_enc_images"].shape == (3, 3, 336, 336)
    assert second["grounding_enc_images"] is None


def test_our_examples_are_collated_in_the_same_way(converted):
    folder = converted / "refcoco" / "train"
    (examples,) = examples_for(folder, Settings(precision="bf16"))
    batch = collate([examples(sample, 0) for sample in islice(read_split(folder), 2)])
    assert halve(dict(batch))["global_enc_images"] is not None
    assert batch["global_enc_images"].dtype == torch.bfloat16


def test_a_table_of_everything():
    """The first section, on the smallest miniature: every claim is about ways that were timed."""
    with closing(glamm.sections(Namespace(images=2, photos=[]))) as sections:
        table = measure(next(sections), 1)
    assert [row.way for row in table.rows] == [glamm.OURS, glamm.HALF, glamm.PEER, glamm.LEAN]
    assert [ratio.goal for ratio in table.ratios] == [glamm.GOAL, None, None]
