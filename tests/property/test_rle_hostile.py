"""Counts from untrusted files: both kernels accept the same ones and report the same errors."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards import rle
from shards.errors import MaskError
from shards.rle import errors
from shards.rle.kernel import choose_kernel
from shards.sample import Size

try:
    KERNELS = {"numpy": choose_kernel("numpy")[1], "compiled": choose_kernel("compiled")[1]}
except ImportError:
    KERNELS = {"numpy": choose_kernel("numpy")[1]}

either = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
LARGEST = rle.MAX_SIDE**2
small = st.builds(Size, st.integers(1, 6), st.integers(1, 6))


def _number(value, padding=0) -> bytes:
    """Any integer in groups of five bits, in as many as it takes and some more."""
    groups = bytearray()
    while True:
        group, value = value & 31, value >> 5
        more = value != (-1 if group & 16 else 0) or padding > 0
        padding -= value == (-1 if group & 16 else 0)
        groups.append(48 + group + 32 * more)
        if not more:
            return bytes(groups)


def _text(lengths, paddings=()) -> bytes:
    values = [run - (lengths[i - 2] if i > 2 else 0) for i, run in enumerate(lengths)]
    paddings = [*paddings, *[0] * len(values)]
    return b"".join(map(_number, values, paddings))


@st.composite
def not_canonical(draw) -> tuple[Size, list[int], bytes]:
    """A valid mask that is not canonical: empty runs anywhere, numbers longer than necessary."""
    size = draw(small)
    area = size.height * size.width
    cuts = sorted(draw(st.lists(st.integers(0, area), max_size=12)))
    lengths = np.diff([0, *cuts, area]).tolist()
    return size, lengths, _text(lengths, draw(st.lists(st.integers(0, 5), max_size=12)))


def _canonical(lengths):
    pixels = np.repeat(np.arange(len(lengths)) % 2, lengths)
    edges = np.flatnonzero(np.diff(pixels, prepend=0))
    return np.diff([0, *edges, pixels.size]).tolist()


def _decoded(kernel, counts, size):
    try:
        with patch.object(rle, "_kernel", kernel):
            runs = rle.decode_counts(counts, size)
    except MaskError as error:
        return str(error)
    return [part.tolist() for part in np.split(runs.lengths, runs.ends)[:-1]]


def _resized(kernel, counts, size):
    every = np.arange(size.height), np.arange(size.width)
    try:
        with patch.object(rle, "_kernel", kernel):
            return rle.resize_counts([[text] for text in counts], size, size, *every)
    except MaskError as error:
        return str(error)


def _agree(counts, size) -> None:
    """Both kernels report the first bad mask, or decode all, as the simple decoder does."""
    problems = [errors._check_counts(text, size) for text in counts]
    decoded = {name: _decoded(kernel, counts, size) for name, kernel in KERNELS.items()}
    resized = {name: _resized(kernel, counts, size) for name, kernel in KERNELS.items()}
    bad = [f"mask {number}: {problem}" for number, problem in enumerate(problems) if problem]
    for name, kernel in KERNELS.items():
        if bad:
            assert decoded[name] == resized[name] == bad[0]
            continue
        lengths = [list(errors._decode_lengths(text, _spans(text))) for text in counts]
        assert decoded[name] == [_canonical(runs) for runs in lengths]
        with patch.object(rle, "_kernel", kernel):
            assert resized[name] == rle.encode_counts(rle.decode_counts(counts, size))


def _spans(text) -> list[tuple[int, int]]:
    ends = [index + 1 for index, byte in enumerate(text) if byte - 48 < 32]
    return list(zip([0, *ends[:-1]], ends, strict=True))


@settings(max_examples=150)
@given(
    small,
    st.lists(
        st.binary(max_size=12) | st.text("0123456789?@ANOPQ_`o", max_size=12).map(str.encode),
        max_size=3,
    ),
)
def test_any_bytes(size, counts) -> None:
    _agree(counts, size)


@settings(max_examples=150)
@given(st.lists(not_canonical(), min_size=1, max_size=3), st.data())
def test_not_canonical_and_damaged_counts(drawn, data) -> None:
    size = drawn[0][0]
    texts = [text for _, _, text in drawn]
    _agree(texts, size)
    number = data.draw(st.integers(0, len(texts) - 1))
    damaged = bytearray(texts[number])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(44, 115))
    texts[number] = bytes(damaged)
    _agree(texts, size)


@settings(max_examples=150)
@given(small, st.lists(st.integers(-(2**34), 2**34) | st.integers(-40, 40), min_size=1, max_size=8))
def test_any_numbers(size, numbers) -> None:
    _agree([b"".join(map(_number, numbers))], size)


@either
@settings(max_examples=100)
@given(not_canonical())
def test_uncompressed(kernel, mask) -> None:
    size, lengths, text = mask
    with patch.object(rle, "_kernel", kernel):
        assert rle.encode_counts(rle.from_lengths([lengths], size)) == rle.encode_counts(
            rle.decode_counts([text], size)
        )
        assert rle.areas(rle.from_lengths([lengths], size)).tolist() == [sum(lengths[1::2])]


NOT_LENGTHS = {
    "none": [],
    "too few": [15],
    "too many": [17],
    "negative": [20, -4],
    "64 bits overflow": [2**63 - 1, 2**63 - 1, 18],
    "more than 64 bits": [2**70, 16],
    "unsigned": [2**64 - 1, 17],
    "fractions": [8.0, 8.0],
    "words": ["16"],
    "lists": [[16]],
    "ragged": [[16], [8, 8]],
    "nothing in it": [None, 16],
    "truth": [True] * 16,
}


@pytest.mark.parametrize("lengths", NOT_LENGTHS.values(), ids=NOT_LENGTHS)
def test_no_run_lengths(lengths) -> None:
    with pytest.raises(MaskError, match="mask 1: "):
        rle.from_lengths([[16], lengths], Size(4, 4))


def _wrapped(area) -> bytes:
    """Runs whose sum is `area` only because 64 bits overflow; no difference takes over 34 bits."""
    pairs = 2**16
    step, rest = divmod(2**64 + area, pairs * (pairs + 1))
    return _number(0) + _number(step) * (2 * pairs - 1) + _number(step + rest)


HOSTILE = {
    "nothing": b"",
    "too few": _number(15),
    "too many": _number(17),
    "negative first": _number(-1) + _number(17),
    "negative by difference": b"".join(map(_number, (4, 4, 4, -5, 9))),
    "a third run as a difference": b"".join(map(_number, (4, 4, 4, 0, 8))),
    "unterminated": b"`",
    "unterminated after a good one": _number(16) + b"P",
    "below '0'": b"/" + _number(16),
    "above 'o'": _number(16) + b"p",
    "zero bytes": bytes(8),
    "not ASCII": b"\xff\xfe",
    "36 bits": b"PPPPPPP0",
    "a number of a megabyte": b"P" * 1_000_000 + b"0",
}


@either
def test_a_sum_that_overflows_to_the_right_one(kernel) -> None:
    with patch.object(rle, "_kernel", kernel), pytest.raises(MaskError, match="mask 0: "):
        rle.decode_counts([_wrapped(16)], Size(4, 4))


@either
@pytest.mark.parametrize("counts", HOSTILE.values(), ids=HOSTILE)
def test_hostile_counts(kernel, counts) -> None:
    good = _number(16)
    tracemalloc.start()
    try:
        with patch.object(rle, "_kernel", kernel), pytest.raises(MaskError, match="mask 2: "):
            rle.decode_counts([good, good, counts, b"", good], Size(4, 4))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 200 * len(counts)
    finally:
        tracemalloc.stop()


@either
@pytest.mark.parametrize(
    "size",
    [Size(0, 4), Size(4, 0), Size(-4, -4), Size(10**9, 10**9), Size(1, 65536), Size(2**300, 1)],
    ids=str,
)
def test_impossible_sizes(kernel, size) -> None:
    with patch.object(rle, "_kernel", kernel):
        for call in (
            lambda: rle.decode_counts([b"0"], size),
            lambda: rle.from_lengths([[16]], size),
            lambda: rle.resize_counts([[b"0"]], size, Size(1, 1), [0], [0]),
            lambda: rle.resize_counts([[b"1"]], Size(1, 1), size, [0], [0]),
        ):
            with pytest.raises(MaskError):
                call()


@either
def test_the_largest_picture(kernel) -> None:
    size = Size(65535, 65535)
    with patch.object(rle, "_kernel", kernel):
        lengths = [[LARGEST - 1, 1], [0, LARGEST], [LARGEST]]
        runs = rle.from_lengths(lengths, size)
        again = rle.decode_counts(rle.encode_counts(runs), size)
        assert (
            again.lengths.tolist() == runs.lengths.tolist() == [n for one in lengths for n in one]
        )
        assert rle.areas(runs).tolist() == [1, LARGEST, 0]
        assert rle.boxes(runs).tolist() == [
            [65534, 65534, 65535, 65535],
            [0, 0, 65535, 65535],
            [0] * 4,
        ]
        half = np.arange(0, 65535, 2)
        small = rle.resize(runs, Size(half.size, half.size), half, half)
        assert rle.areas(small).tolist() == [1, half.size**2, 0]
        assert rle.areas(rle.union(runs, [2, 3])).tolist() == [LARGEST, 0]
        assert rle.areas(rle.apply_orientation(runs, 3)).tolist() == [1, LARGEST, 0]


@either
def test_many_parts_of_one_mask(kernel) -> None:
    """The union of thousands of parts merges them pairwise, not one by one."""
    size = Size(100, 100)
    with patch.object(rle, "_kernel", kernel):
        lengths = [[start, 1, 9_999 - start] for start in range(0, 9_999, 2)]
        runs = rle.union(rle.from_lengths(lengths, size), [len(lengths)])
    assert runs.lengths.tolist() == [0, *[1] * 9_999, 1]
