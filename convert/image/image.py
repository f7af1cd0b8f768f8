"""Bytes of a photo in, bytes of a stored photo out. Pure.

One decision, `why_not_keep`, says whether a photo keeps its pixels; everything else follows.
"""

import io

from PIL import Image

from convert.image.decode import TURNS, Header, check_jpeg, decode_rgb
from convert.image.jpeg import JpegHeader, strip_jpeg
from convert.image.policy import Fidelity, ImagePolicy
from convert.image.transcode import to_baseline
from shards.sample import EncodedImage, Size

_FAST_REST = 4.5
"""`bench.fidelity` has the measurement, by reduction, on real photos."""
_KEPT_SAMPLING = frozenset(("4:4:4", "4:2:2", "4:2:0", "4:4:0"))


def why_not_keep(header: Header, stored: Size, *, turn: bool) -> str | None:
    """Why a photo cannot keep its coded pixels, or None if it can.

    Args:
        header: of the photo.
        stored: the size it shall have.
        turn: whether its orientation is to be baked in.
    """
    if stored != (header.upright if turn else header.size):
        return "scaled down"
    if turn and header.orientation != 1:
        return "turned upright"
    if header.jpeg is None:
        return f"{header.format} made JPEG"
    return _why_not_keep_jpeg(header.jpeg)


def _why_not_keep_jpeg(header: JpegHeader) -> str | None:
    if header.colour != "YCbCr":
        return f"{header.colour} JPEG made YCbCr"
    if header.coding != "baseline" or header.precision != 8:  # noqa: PLR2004
        return f"{header.coding} JPEG made baseline"
    if header.sampling not in _KEPT_SAMPLING:
        return "odd chroma sampling made even"
    return None


def choose_shrink(size: Size, stored: Size, fidelity: Fidelity) -> int:
    """By how much the JPEG decoder may shrink a photo before the resize does the rest.

    `exact` never; `fast` where the resize still has to reduce by 4.5, so that no photo measured
    comes out under 40 dB of the exact one; `draft` whenever the result is not too small, as
    Pillow's own draft mode.

    >>> [choose_shrink(Size(9000, 12000), Size(768, 1024), f) for f in ("exact", "fast", "draft")]
    [1, 2, 8]
    """
    # A turn swaps the stored sides, never which of two longest sides is longer.
    reduction = max(size.height, size.width) / max(stored.height, stored.width)
    least = {"exact": float("inf"), "fast": _FAST_REST, "draft": 1.0}[fidelity]
    return max((s for s in (2, 4, 8) if reduction / s >= least), default=1)


def store(
    data: bytes, header: Header, stored: Size, policy: ImagePolicy, *, turn: bool
) -> tuple[EncodedImage, str]:
    """(the stored image, what was done to it: `kept` or the reason for encoding it anew).

    Args:
        data: the photo's file.
        header: what `read_header` said of it.
        stored: the size it shall have.
        policy: how to encode.
        turn: whether to bake its orientation in.

    Raises:
        ImageDecodeError: if the photo does not decode to its last pixel.
    """
    reason = why_not_keep(header, stored, turn=turn)
    if reason is None:
        kept = strip_jpeg(data)
        check_jpeg(kept)  # structure alone does not show a scan that is cut short or damaged
        return EncodedImage(kept, "jpg", stored), "kept"
    if header.jpeg is not None and stored == header.size and not (turn and header.orientation != 1):
        recoded = to_baseline(data)
        if recoded is not None:
            return EncodedImage(recoded, "jpg", stored), f"{reason} without loss"
    image = decode_rgb(data, header, choose_shrink(header.size, stored, policy.fidelity))
    if turn and header.orientation in TURNS:
        image = image.transpose(TURNS[header.orientation])
    if image.size != (stored.width, stored.height):
        image = image.resize((stored.width, stored.height), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    # Pillow would carry a comment over from the photo.
    image.save(out, "JPEG", quality=policy.quality, subsampling=policy.subsampling, comment=b"")
    return EncodedImage(out.getvalue(), "jpg", stored), reason
