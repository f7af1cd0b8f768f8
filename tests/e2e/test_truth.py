"""Every sample of the miniature against what its drawing says is true."""

import io
from collections import Counter

import msgspec
import numpy as np
import pytest
from PIL import Image

from convert.demo import DRAWINGS
from convert.geometry import fit_longest_side
from convert.job.task import Rejection
from shards.layout import read_split
from shards.pixels import decode_mask
from shards.sample import Size


def read_source(out, source):
    folders = sorted(path for path in (out / source).iterdir() if path.is_dir())
    return {(f.name, sample.key): sample for f in folders for sample in read_split(f)}


def pixel_truth(mask, size):
    """The mask at another size, the slow way: pixels and PIL's nearest filter."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.resize((size.width, size.height), Image.Resampling.NEAREST)) > 0


@pytest.fixture(params=["clean", "defects"])
def case(request):
    if request.param == "clean":
        return request.getfixturevalue("miniature"), request.getfixturevalue("converted")
    return request.getfixturevalue("defective"), request.getfixturevalue("converted_defective")


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_samples_are_the_truth(case, source):
    drawn, out = case
    samples = read_source(out, source)
    truth = {(t.split, f"{source}-{t.id}"): t for t in drawn.truths[source].samples}
    assert samples.keys() == truth.keys()
    assert truth
    for key, sample in samples.items():
        true = truth[key]
        size = Size(*true.size)
        stored = fit_longest_side(size, 1024)
        assert sample.original_size == size
        assert sample.image.size == stored
        with Image.open(io.BytesIO(sample.image.data)) as image:
            image.load()
            assert (image.height, image.width) == (stored.height, stored.width)
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert not image.getexif()
        assert sample.captions == true.captions
        conversations = tuple(
            tuple((t.speaker, t.text) for t in turns) for turns in sample.conversations
        )
        assert conversations == true.conversations
        assert_regions(sample, true)
        assert_labels(sample, true)


def assert_regions(sample, true):
    stored = sample.image.size
    assert len(sample.regions) == len(true.regions)
    for region, expected in zip(sample.regions, true.regions, strict=True):
        assert region.phrases == expected.phrases
        assert region.category == expected.category
        assert region.attributes == expected.attributes
        assert region.parent == expected.parent
        assert [(s.caption, s.start, s.stop) for s in region.spans] == list(expected.spans)
        assert (region.mask is None) == (expected.mask is None)
        if region.mask is not None:
            found = decode_mask(region.mask)
            np.testing.assert_array_equal(found, pixel_truth(expected.mask, stored))
        assert (region.box is None) == (expected.box is None)
        if region.box is not None:
            height, width = true.size
            scale = np.array([stored.width / width, stored.height / height] * 2)
            corners = [region.box.x0, region.box.y0, region.box.x1, region.box.y1]
            np.testing.assert_allclose(corners, np.array(expected.box) * scale, atol=1e-9)


def assert_labels(sample, true):
    assert (sample.labels is None) == (true.labels is None)
    if sample.labels is not None:
        stored = sample.image.size
        with Image.open(io.BytesIO(sample.labels.png)) as image:
            assert image.mode == "L"
            found = np.asarray(image)
        whole = Image.fromarray(true.labels)
        expected = whole.resize((stored.width, stored.height), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_kept_photos_have_the_pixels_of_their_files(miniature, converted, source):
    samples = read_source(converted, source)
    for true in miniature.truths[source].samples:
        sample = samples[true.split, f"{source}-{true.id}"]
        with Image.open(miniature.root / true.photo) as image:
            original = np.asarray(image.convert("RGB"))
        with Image.open(io.BytesIO(sample.image.data)) as image:
            stored = np.asarray(image)
        if sample.image.size == sample.original_size:
            np.testing.assert_array_equal(stored, original)
        else:
            # Scaled and encoded again: near the slow way's pixels, and at the right place.
            size = (sample.image.size.width, sample.image.size.height)
            scaled = Image.fromarray(original).resize(size, Image.Resampling.BILINEAR)
            error = stored.astype(float) - np.asarray(scaled)
            assert 10 * np.log10(255**2 / (error**2).mean()) > 30


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_defects_are_quarantined_by_their_kind(defective, converted_defective, source):
    rows = [
        row
        for path in sorted((converted_defective / source).rglob("*.rejects.jsonl"))
        for row in msgspec.json.Decoder(Rejection).decode_lines(path.read_bytes())
    ]
    found = Counter((row.split, row.item, row.error) for row in rows)
    expected = Counter((r.split, r.id, r.error) for r in defective.truths[source].rejects)
    assert found == expected
    assert expected
    assert all(row.message and row.source == source for row in rows)
