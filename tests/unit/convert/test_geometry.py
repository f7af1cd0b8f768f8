"""Sizes and boxes, against exact arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.geometry import box_from_xywh, fit_longest_side
from shards.sample import Box, Size

sizes = st.builds(Size, st.integers(1, 65_535), st.integers(1, 65_535))


@given(sizes, st.integers(16, 65_500))
def test_a_photo_is_reduced_to_its_longest_side_and_never_enlarged(size, longest) -> None:
    fitted = fit_longest_side(size, longest)
    most = max(size.height, size.width)
    if most <= longest:
        assert fitted == size
        return
    assert max(fitted.height, fitted.width) == longest
    for old, new in ((size.height, fitted.height), (size.width, fitted.width)):
        exact = Fraction(old * longest, most)
        assert 1 <= new <= longest
        assert new == 1 or abs(new - exact) <= Fraction(1, 2) + Fraction(1, 10**9)
    assert fit_longest_side(fitted, longest) == fitted


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        # segment_anything's ResizeLongestSide.get_preprocess_shape, by its own formula.
        (1500, 2250, (683, 1024)),
        (1365, 2048, (683, 1024)),  # 682.5 is rounded up
        (2049, 1, (1024, 1)),
        (1025, 1025, (1024, 1024)),
        (65_500, 3, (1024, 1)),
    ],
)
def test_rounding_is_sams(height, width, expected) -> None:
    assert fit_longest_side(Size(height, width), 1024) == Size(*expected)


def test_cocos_boxes() -> None:
    assert box_from_xywh(1, 2, 3, 4) == Box(1.0, 2.0, 4.0, 6.0)
    assert type(box_from_xywh(1, 2, 3, 4).x0) is float
