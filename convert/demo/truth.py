"""The expected samples and rejections of a drawn dataset."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.demo.scene.raster import HeightWidth, Mask

TrueBox = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TrueRegion:
    """One annotated thing.

    Attributes:
        phrases: its expressions, in upstream's order.
        box: x0, y0, x1, y1 in pixels of the photo, half-open.
        runs: its mask, encoded.
        spans: (caption, start, stop): characters [start, stop) of a stripped caption.
        category: upstream's name of its class, if it has one.
        attributes: upstream's names of its attributes.
        parent: of a part: index of the region that it is a part of.
    """

    phrases: tuple[str, ...] = ()
    box: TrueBox | None = None
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
    """A label map of stored class ids, compressed."""

    size: HeightWidth
    packed: bytes

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Uint8 [height, width]; 255 is ignore."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.size)


def pack_labels(pixels: NDArray[np.uint8]) -> TrueLabels:
    """A label map from uint8 [height, width]."""
    height, width = pixels.shape
    return TrueLabels((height, width), zlib.compress(pixels.tobytes(), 1))


@dataclass(frozen=True, slots=True)
class TrueSample:
    """One photo that the converter must accept, with all its annotations.

    Attributes:
        photo: path below the root.
        size: (height, width) of the upright photo; the annotations are in its pixels.
        captions: stripped of white space, unless upstream's spans count it.
        regions: in upstream's order.
        conversations: the turns (speaker, text) of each, in upstream's words.
    """

    id: str
    split: str
    photo: str
    size: HeightWidth
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
    """One photo that the converter must reject, and the class name of the error."""

    id: str
    split: str
    error: str


@dataclass(frozen=True, slots=True)
class Truth:
    """The expected samples and rejections of one source."""

    source: str
    samples: tuple[TrueSample, ...]
    rejects: tuple[TrueReject, ...]
