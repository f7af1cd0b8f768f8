"""Arguments that `shards.rle` refuses, the choice of a kernel, and what importing it loads."""

import os
import subprocess
import sys
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from shards import rle
from shards.rle.kernel import KERNEL_MODULE, choose_kernel
from shards.sample import Size

SIZE = Size(4, 4)
EMPTY = rle.from_lengths([[16], [16]], SIZE)


@pytest.mark.parametrize("ends", [[1], [3], [2, 1, 2], [-1, 2], [[2]], []], ids=str)
def test_groups_take_each_mask_once(ends) -> None:
    with pytest.raises(ValueError, match="groups"):
        rle.union(EMPTY, ends)


@pytest.mark.parametrize("rows", [[0], [0, 4], [-1, 0], [1, 0], [[0, 1]], []], ids=str)
def test_tables_are_sorted_and_inside(rows) -> None:
    new = Size(2, 2)
    with pytest.raises(ValueError, match="expected a table of 2 rows"):
        rle.resize(EMPTY, new, rows, [0, 1])
    with pytest.raises(ValueError, match="expected a table of 2 columns"):
        rle.resize_counts([[b"16"]], SIZE, new, [0, 1], rows)


@pytest.mark.parametrize("orientation", [0, 9, -1])
def test_orientations(orientation) -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        rle.apply_orientation(EMPTY, orientation)


@pytest.mark.parametrize(
    ("out", "selected"),
    [
        (np.zeros((1, 4, 4), np.uint8), None),
        (np.zeros((2, 4, 5), np.uint8), None),
        (np.zeros((2, 4, 4), np.int64), None),
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((2, 4, 8), np.uint8)[:, :, ::2], None),
        (np.zeros((1, 4, 4), np.uint8), [2]),
        (np.zeros((1, 4, 4), np.uint8), [-1]),
    ],
)
def test_arrays_to_paint_into(out, selected) -> None:
    with pytest.raises(ValueError, match="expected"):
        rle.paint(EMPTY, out, selected)


def test_pixels_are_bool() -> None:
    wrong: list[Any] = [np.zeros((4, 4), bool), np.zeros((1, 4, 4), np.uint8)]
    for pixels in wrong:
        with pytest.raises(ValueError, match="expected bool"):
            rle.from_pixels(pixels)


def test_no_masks() -> None:
    for kernel in (choose_kernel("numpy")[1], KERNEL_MODULE):
        with patch.object(rle, "_kernel", kernel):
            none = rle.decode_counts([], SIZE)
            assert (len(none), none.lengths.size) == (0, 0)
            assert (
                rle.encode_counts(none)
                == rle.resize_counts([], SIZE, SIZE, range(4), range(4))
                == []
            )
            assert rle.boxes(none).shape == (0, 4)
            assert rle.areas(none).shape == (0,)
            assert len(rle.from_lengths([], SIZE)) == 0
            assert rle.encode_counts(rle.union(none, [0, 0])) == rle.encode_counts(EMPTY)


def test_runs_are_checked_before_they_are_indices() -> None:
    """Inconsistent runs raise ValueError; the kernel does not read past their end."""
    native = pytest.importorskip("shards.rle._rle")
    lengths, ends = np.array([16], np.uint32), np.array([1], np.int64)
    for bad in (
        (lengths, np.array([2])),
        (lengths, np.array([-1])),
        (lengths, np.array([0])),
        (lengths, np.array([2**62])),
        (lengths, np.array([1, 1])),
        (lengths[:0], ends),
        (lengths + 1, ends),
        (np.frombuffer(bytes(9), np.uint8)[1:5], ends),
    ):
        with pytest.raises(ValueError, match=r"do not cover|not aligned"):
            native.encode_counts((*bad, 4, 4))
    with pytest.raises(ValueError, match="a table"):
        native.resize((lengths, ends, 4, 4), np.array([4]), np.array([0]))
    with pytest.raises(ValueError, match="groups"):
        native.union((lengths, ends, 4, 4), np.array([2]))
    with pytest.raises(TypeError):
        native.decode_counts(("16",), (4, 4))


def _kernel(code: str, requested: str) -> str:
    """The last line that a new process prints for `code`: of its output, or else of its errors."""
    environment = {**os.environ, "GLAMM_RLE": requested}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=False
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


PRINT = "from shards import rle; print(rle.KERNEL)"
NOT_COMPILED = "import sys; sys.modules['shards.rle._rle'] = None; "


def test_the_environment_names_the_kernel() -> None:
    assert _kernel(PRINT, "numpy") == "numpy"
    assert _kernel(NOT_COMPILED + PRINT, "") == "numpy"
    assert _kernel(NOT_COMPILED + PRINT, "compiled").endswith("is not installed here")
    assert _kernel(PRINT, "numba") == "ImportError: GLAMM_RLE=numba: expected 'compiled' or 'numpy'"


def test_the_package_needs_only_the_base_install() -> None:
    code = (
        "import sys; from shards import rle;"
        "print(sorted({'PIL', 'pycocotools', 'cv2', 'torch', 'convert'} & set(sys.modules)))"
    )
    assert _kernel(code, "") == "[]"
