"""A progressive or gray JPEG as the baseline YCbCr JPEG every decoder takes, pixel for pixel.

Decoders on GPUs take baseline sequential JPEGs of three components and little else. Coefficients
can be coded anew without being changed, as `jpegtran` does it (libjpeg, `transupp.c`), where
decoding and encoding would add a generation of loss. A gray photo gets chroma of zeros, at 4:2:0:
zero decodes to exactly 128 and so to R = G = B = Y, and 4:2:0 has the fewest blocks to say so.
"""

from convert.errors import ImageDecodeError

try:
    from convert.image import _jpeg_transcode
except ImportError:  # not compiled on this machine: such photos are decoded and encoded
    COMPILED = False
else:
    COMPILED = True


def to_baseline(stripped: bytes, max_pixels: int) -> bytes | None:
    """The same picture as baseline YCbCr, 8 bits, 4:4:4, 4:2:2, 4:2:0 or 4:4:0.

    Coefficients and quantisation tables are the photo's own; Huffman tables are optimal ones. A
    JFIF marker gives the colour space. Call it only if `COMPILED`.

    Args:
        stripped: a JPEG without metadata, so that damaged metadata does not count.
        max_pixels: what libjpeg may find at the most.

    Returns:
        None where it cannot be had losslessly: RGB, CMYK, more than 8 bits, other sampling, a
        quantisation table of 16 bits or changed between scans.

    Raises:
        ImageDecodeError: if libjpeg warns of anything, a scan is missing, there are more than 200
            scans, or too many pixels.
    """
    try:
        return _jpeg_transcode.to_baseline(stripped, max_pixels)
    except ValueError as error:
        raise ImageDecodeError(f"JPEG does not decode: {error}") from error
