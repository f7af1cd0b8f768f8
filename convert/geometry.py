"""Sizes and coordinates. Pure arithmetic; no pixels."""

from shards.sample import Box, Size


def fit_longest_side(size: Size, longest: int) -> Size:
    """Scale to a longest side of at most `longest`, rounding as SAM's `ResizeLongestSide`.

    Never enlarges: an image that fits keeps its size, and so can keep its bytes. A side is at
    least one pixel, however long and thin the photo.

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


def scale_box(box: Box, old: Size, new: Size) -> Box:
    """Map a box from an image of size `old` to the same image at size `new`.

    >>> scale_box(Box(10.0, 20.0, 30.0, 40.0), Size(100, 100), Size(50, 100))
    Box(x0=10.0, y0=10.0, x1=30.0, y1=20.0)
    """
    x, y = new.width / old.width, new.height / old.height
    return Box(box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)


def clip_box(box: Box, size: Size) -> Box:
    """The part of a box inside an image; a box wholly outside shrinks to a line on its border.

    >>> clip_box(Box(-5.0, 2.0, 12.0, 8.0), Size(6, 10))
    Box(x0=0.0, y0=2.0, x1=10.0, y1=6.0)
    """
    width, height = float(size.width), float(size.height)
    return Box(
        min(max(box.x0, 0.0), width),
        min(max(box.y0, 0.0), height),
        min(max(box.x1, 0.0), width),
        min(max(box.y1, 0.0), height),
    )


def box_from_xywh(x: float, y: float, width: float, height: float) -> Box:
    """COCO's corner and extent as half-open corners."""
    return Box(float(x), float(y), float(x) + width, float(y) + height)
