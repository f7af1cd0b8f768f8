"""How images are stored: what a config may say about it."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

Fidelity = Literal["exact", "fast", "draft"]


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """How images are stored.

    Attributes:
        longest_side: upper bound in pixels; smaller images are never enlarged.
        quality: JPEG quality, 1 to 100, used only where an image must be encoded anew.
        subsampling: of such an image's chroma.
        fidelity: of scaling down. `exact` gives, bit for bit, a whole decode and PIL's antialiased
            bilinear filter; `fast` lets the decoder shrink photos that are much too large, at 40 dB
            or more; `draft` lets it shrink wherever it can, at 26 dB and more.
        max_bytes: larger files are quarantined unread.
        max_pixels: larger images are quarantined undecoded.
    """

    longest_side: Annotated[int, msgspec.Meta(ge=16, le=65_500)] = 1024
    quality: Annotated[int, msgspec.Meta(ge=1, le=100)] = 95
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0"
    fidelity: Fidelity = "exact"
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 64_000_000
    max_pixels: Annotated[int, msgspec.Meta(ge=1)] = 64_000_000
