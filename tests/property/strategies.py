"""Hypothesis strategies: masks, pictures of every kind, and valid samples."""

import warnings

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from shards.sample import (
    Box,
    EncodedImage,
    Ids,
    LabelMap,
    Region,
    Rle,
    Sample,
    Size,
    Span,
    Turn,
)

sizes = st.builds(Size, st.integers(1, 40), st.integers(1, 40))
keys = st.from_regex(r"[a-z0-9][A-Za-z0-9_-]{0,87}", fullmatch=True)
texts = st.text(max_size=12)
_numbers = st.integers(-(2**63), 2**63 - 1)
_names = st.one_of(_numbers, texts)
ids: st.SearchStrategy[Ids] = st.dictionaries(
    texts, st.one_of(_names, st.lists(_names, max_size=3).map(tuple)), max_size=3
)
turns = st.builds(Turn, texts, texts)


@st.composite
def masks(draw: st.DrawFn, size: Size | None = None) -> NDArray[np.bool_]:
    """Noise of any density: short and long runs, empty and full masks."""
    chosen = size or draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    coarse = rng.random((chosen.height, chosen.width)) < draw(st.sampled_from((0, 0.02, 0.5, 1)))
    stretch = draw(st.integers(1, 5))
    tall: NDArray[np.bool_] = np.repeat(coarse, stretch, axis=0)[: chosen.height]
    return tall


def coco_encode(mask: NDArray[np.bool_]) -> Rle:
    """The mask encoded by pycocotools: the reference."""
    height, width = mask.shape
    counts = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return Rle(Size(height, width), counts)


def coco_decode(rle: Rle) -> NDArray[np.bool_]:
    size = [rle.size.height, rle.size.width]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pycocotools 2.0 on numpy 2: `copy` of __array__
        pixels = coco_mask.decode({"size": size, "counts": rle.counts})
    found: NDArray[np.bool_] = pixels.astype(bool)
    return found


@st.composite
def boxes(draw: st.DrawFn, size: Size) -> Box:
    x0, x1 = sorted(draw(st.tuples(*[st.floats(0, size.width)] * 2)))
    y0, y1 = sorted(draw(st.tuples(*[st.floats(0, size.height)] * 2)))
    return Box(x0, y0, x1, y1)


@st.composite
def regions(draw: st.DrawFn, size: Size, captions: tuple[str, ...], count: int) -> Region:
    spans = []
    for number, caption in enumerate(captions):
        if caption and draw(st.booleans()):
            start = draw(st.integers(0, len(caption) - 1))
            spans.append(Span(number, start, draw(st.integers(start + 1, len(caption)))))
    return Region(
        phrases=tuple(draw(st.lists(texts, max_size=2))),
        box=draw(st.none() | boxes(size)),
        mask=draw(st.none() | masks(size).map(coco_encode)),
        spans=tuple(spans),
        category=draw(texts),
        attributes=tuple(draw(st.lists(texts, max_size=2))),
        parent=draw(st.none() | st.integers(0, count - 1)),
        ids=draw(ids),
    )


@st.composite
def samples(draw: st.DrawFn, key: str | None = None) -> Sample:
    """A valid sample. Its picture is any bytes, since the format does not decode it."""
    size = draw(sizes)
    captions = tuple(draw(st.lists(texts, max_size=2)))
    count = draw(st.integers(0, 2))
    return Sample(
        key=key or draw(keys),
        image=EncodedImage(draw(st.binary(max_size=700)), "jpg", size),
        original_size=draw(sizes),
        file=draw(texts),
        ids=draw(ids),
        captions=captions,
        regions=tuple(draw(regions(size, captions, count)) for _ in range(count)),
        conversations=tuple(draw(st.lists(st.lists(turns, max_size=2).map(tuple), max_size=2))),
        labels=draw(
            st.none()
            | st.builds(
                LabelMap,
                st.binary(max_size=600),
                texts,
                st.lists(st.integers(0, 254), max_size=3).map(tuple),
            )
        ),
    )
