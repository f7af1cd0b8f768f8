"""A progressive or gray JPEG as the baseline YCbCr JPEG every decoder takes, pixel for pixel.

Decoders on GPUs take baseline sequential JPEGs of three components and little else. Coefficients
can be coded anew without being changed, as `jpegtran` does it (libjpeg, `transupp.c`), where
decoding and encoding would add a generation of loss. A gray photo gets chroma of zeros, at 4:2:0:
zero decodes to exactly 128 and so to R = G = B = Y, and 4:2:0 has the fewest blocks to say so.

EXIF, colour profiles and comments are left out before, so damage to them is no damage to the
picture. A JFIF marker says which colour space it is.
"""

import importlib
from collections.abc import Callable

from convert.errors import ImageDecodeError
from convert.image.jpeg import read_jpeg_header, strip_jpeg


def _find_compiled() -> Callable[[bytes, int], bytes | None] | None:
    try:
        module = importlib.import_module("convert.image._jpeg_transcode")
    except ImportError:
        return None
    found: Callable[[bytes, int], bytes | None] = module.to_baseline
    return found


_compiled = _find_compiled()
AVAILABLE = _compiled is not None
"""Whether the compiled module is there; without it nothing can be done losslessly."""


def to_baseline(data: bytes) -> bytes | None:
    """The same picture as baseline YCbCr, 8 bits, 4:4:4, 4:2:2, 4:2:0 or 4:4:0.

    Coefficients and quantisation tables are the photo's own; Huffman tables are the best ones.

    Returns:
        None where it cannot be had losslessly: RGB, CMYK, more than 8 bits, other sampling, a
        quantisation table of 16 bits or changed between scans, or no compiled module.

    Raises:
        ImageDecodeError: if anything libjpeg would only warn of is wrong, a scan is missing, or
            there are more than 200.
    """
    if _compiled is None:
        return None
    # The budget was held against this size, so libjpeg must not find a larger one.
    size = read_jpeg_header(data).size
    try:
        return _compiled(strip_jpeg(data), size.height * size.width)
    except ValueError as error:
        raise ImageDecodeError(f"JPEG does not decode: {error}") from error
