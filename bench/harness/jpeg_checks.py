"""Checks that `bench.photo_checks` compares; each raises if it detects damage."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from functools import partial

import simplejpeg
from PIL import Image

from convert.errors import ImageDecodeError
from convert.image import transcode
from convert.image.header import EOI, PIL_ERRORS, read_jpeg_header
from convert.image.store import check_jpeg, strip_jpeg

Check = Callable[[bytes], object]
WHOLE = "simplejpeg, whole"
"""The reference check: it decodes every pixel."""
_END = bytes((0xFF, EOI))


def accepts(check: Check, data: bytes) -> bool:
    """Whether a check detects no damage; libraries' messages on stderr are dropped."""
    try:
        with redirect_stderr(io.StringIO()):
            check(data)
    except (ImageDecodeError, *PIL_ERRORS):
        return False
    return True


def strip(data: bytes) -> bytes:
    """The photo without metadata."""
    return strip_jpeg(data, read_jpeg_header(data))


def recode(data: bytes) -> bytes | None:
    """The photo as baseline; None where that is not lossless, or the transcoder is not built."""
    if not transcode.COMPILED:
        return None
    header = read_jpeg_header(data)
    return transcode.to_baseline(strip_jpeg(data, header), header.size.height * header.size.width)


def _verify(data: bytes) -> None:
    Image.open(io.BytesIO(data)).verify()


def _load(data: bytes) -> None:
    Image.open(io.BytesIO(data)).load()


def _decode(data: bytes, colours: str = "RGB", factor: int = 1) -> None:
    """Decode at 1/factor of the size."""
    least = 1 if factor > 1 else 0  # pixels; 0 is the full size
    simplejpeg.decode_jpeg(
        data,
        colours,
        fastdct=False,
        fastupsample=False,
        strict=True,
        min_height=least,
        min_width=least,
        min_factor=factor,
    )


def _decode_to_the_last_byte(data: bytes) -> None:
    """Refuse data that still decodes when one byte shorter: libjpeg ignores up to seven extra."""
    check_jpeg(data)
    body = data.removesuffix(_END)
    shorter = body[:-2] if body.endswith(b"\xff\0") else body[:-1]
    try:
        check_jpeg(shorter + _END)
    except ImageDecodeError:
        return
    raise ImageDecodeError("bytes are left over after the picture")


CHECKS: dict[str, Check] = {
    WHOLE: _decode,
    "read_jpeg_header": read_jpeg_header,
    "strip_jpeg": strip,
    "Pillow, verify": _verify,
    "Pillow, load": _load,
    "simplejpeg, 1/8 RGB": partial(_decode, factor=8),
    "simplejpeg, 1/8 gray": partial(_decode, colours="GRAY", factor=8),
    "check_jpeg": check_jpeg,
    "check_jpeg, twice": _decode_to_the_last_byte,
    "to_baseline": recode,
}
"""Name in the tables -> check."""
