"""Sizes and coordinates. Pure arithmetic; no pixels."""

from shards.sample import Box, Size


def fit_longest_side(size: Size, longest: int) -> Size:
    """Scale to a longest side of at most `longest`, rounding as SAM's `ResizeLongestSide`.

    An image that fits keeps its size, and so can keep its bytes; none is enlarged. A side is at
    least one pixel, however narrow the photo.

    >>> fit_longest_side(Size(480, 640), 1024)
    Size(height=480, width=640)
    >>> fit_longest_side(Size(1500, 2250), 1024)
    Size(height=683, width=1024)
    """
    scale = min(1.0, longest / max(size.height, size.width))
    return Size(
        max(1, int(size.height * scale + 0.5)),
        max(1, int(size.width * scale + 0.5)),
    )


def box_from_xywh(x: float, y: float, width: float, height: float) -> Box:
    """The half-open box of COCO's top-left corner and extent.

    >>> box_from_xywh(10, 20, 30, 40)
    Box(x0=10.0, y0=20.0, x1=40.0, y1=60.0)
    """
    return Box(float(x), float(y), float(x) + width, float(y) + height)
