"""What is true of a drawn dataset: what a reader of its files must find, or must refuse."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.demo.scene.raster import Mask, Size

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TrueRegion:
    """One annotated thing.

    Attributes:
        phrases: what is said of it, in upstream's order.
        box: x0, y0, x1, y1 in pixels of the photo, half-open.
        runs: its mask, still encoded.
        spans: (caption, start, stop): characters [start, stop) of a stripped caption.
        category: upstream's name of its class, where it has one.
        attributes: upstream's names of what is said of its looks.
        parent: of a part: number of the region it is a part of.
    """

    phrases: tuple[str, ...] = ()
    box: Box | None = None
    runs: Mask | None = None
    spans: tuple[tuple[int, int, int], ...] = ()
    category: str = ""
    attributes: tuple[str, ...] = ()
    parent: int | None = None

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Bool [height, width] of the photo."""
        return None if self.runs is None else self.runs.pixels


@dataclass(frozen=True, slots=True)
class TrueLabels:
    """A label map after upstream's values became class ids; small in memory."""

    size: Size
    packed: bytes

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Uint8 [height, width]; 255 is ignore."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.size)


def pack_labels(pixels: NDArray[np.uint8]) -> TrueLabels:
    """Uint8 [height, width] as truth."""
    height, width = pixels.shape
    return TrueLabels((height, width), zlib.compress(pixels.tobytes(), 1))


@dataclass(frozen=True, slots=True)
class TrueSample:
    """One photo that a converter must accept, with everything its source says about it.

    Attributes:
        photo: path below the root.
        size: (height, width) of the upright photo, the one that annotations are about.
        captions: without white space around them, except where upstream counts spans with it.
        regions: in upstream's order.
        conversations: turns (speaker, text) of each, as upstream wrote them.
    """

    id: str
    split: str
    photo: str
    size: Size
    captions: tuple[str, ...] = ()
    regions: tuple[TrueRegion, ...] = ()
    label_map: TrueLabels | None = None
    conversations: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def labels(self) -> NDArray[np.uint8] | None:
        """Uint8 [height, width] of class ids, 255 is ignore; None without a label map."""
        return None if self.label_map is None else self.label_map.pixels


@dataclass(frozen=True, slots=True)
class TrueReject:
    """One photo that a converter must quarantine, and the class name of the error."""

    id: str
    split: str
    error: str


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that was drawn for one source."""

    source: str
    samples: tuple[TrueSample, ...]
    rejects: tuple[TrueReject, ...]
