"""Drawn photos weigh what photos weigh, and their pixels are where their masks are."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convert.demo.scene.compose import draw_scene
from convert.demo.scene.outline import cut, points
from convert.demo.scene.paint import octaves, paint
from convert.demo.scene.photos import DrawOptions, PhotoSize, plan_photos

FAMILIES = ("coco", "ade", "sam")


def photos(family: str, size: PhotoSize, count: int):
    options = DrawOptions(Path("unused"), count, photo_size=size)
    for drawn in plan_photos(options, family, 1, ("train",)):
        yield drawn, paint(drawn.scene, np.random.default_rng((*drawn.seed, 1)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("size", "count"), [("small", 12), ("full", 4)])
def test_a_photo_takes_as_many_bytes_as_a_real_one(family, size, count):
    for _, pixels in photos(family, size, count if family != "sam" else 3):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=90)
        assert 0.2 < len(out.getvalue()) / pixels[..., 0].size < 0.35


def test_texture_is_1_over_f():
    field = octaves(np.random.default_rng(0), 512, 512, (1, 1))
    power = np.abs(np.fft.fft2(field)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    bands = [
        power[(radius > low) & (radius <= 2 * low)].mean() for low in (1 / 128, 1 / 64, 1 / 32)
    ]
    # Amplitude 1/f is power 1/f^2: each octave up has about a quarter.
    assert all(2.5 < a / b < 6.5 for a, b in pairwise(bands))


def test_things_are_painted_where_their_masks_are():
    scene = draw_scene(np.random.default_rng(3), (480, 640))
    with_things = paint(scene, np.random.default_rng(0)).astype(int)
    thing, mask = scene.things[0], scene.masks()[0]
    rows, columns = np.nonzero(mask.pixels)
    inside = with_things[rows, columns].mean(axis=0)
    x0, y0, x1, y1 = (int(n) for n in thing.box)
    around = with_things[y0:y1, x0:x1][~mask.pixels[y0:y1, x0:x1]].mean(axis=0)
    assert np.abs(inside - around).sum() > 40


def test_things_do_not_overlap_and_layers_agree_with_masks():
    for seed in range(12):
        scene = draw_scene(np.random.default_rng(seed), (120, 160))
        masks = np.stack([mask.pixels for mask in scene.masks()])
        assert masks.sum(axis=0).max() == 1
        assert masks.any(axis=(1, 2)).all()
        seen = scene.layers()
        for number, mask in enumerate(masks, start=len(scene.surfaces)):
            differ = (seen == number) != mask
            assert differ.sum() <= sum(1 for _ in scene.posts) * mask.any(axis=1).sum() * 2


def test_a_post_leaves_two_rings_of_a_thing():
    scenes = [draw_scene(np.random.default_rng(seed), (120, 160)) for seed in range(40)]
    with_post = [scene for scene in scenes if scene.posts]
    assert with_post
    assert all(any(len(thing.rings) == 2 for thing in scene.things) for scene in with_post)


def test_cutting_a_triangle_on_both_sides_loses_nothing():
    triangle = points((0, 0), (4, 0), (0, 4))

    def area(outline):
        x, y = outline.T
        return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2

    assert area(cut(triangle, 1, -1)) + area(cut(triangle, 1, 1)) == pytest.approx(8)
