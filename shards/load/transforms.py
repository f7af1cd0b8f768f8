"""What a loader makes of stored samples: raw bytes, decoded pixels, or your own examples."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from shards.errors import ExampleError, LoadError
from shards.load.batches import BatchTransform
from shards.load.reading.batch import Allocator, BatchRequest, BufferPool, RawBatch, RawSample
from shards.load.reading.reader import DAMAGED, Reader
from shards.pixels import Bytes, decode_labels, decode_photo, masks_of, paint_masks
from shards.sample import Sample

T = TypeVar("T")
B = TypeVar("B")
ChooseMasks = Callable[[Sample, int, int | None], Sequence[int]]
"""(sample, seed, item_index) -> indexes of the regions whose masks to paint; each must have one."""

ExampleFunction = Callable[[Sample, int, int | None], T]
"""(sample, seed, item_index) -> example.

`seed` has 64 random bits, the same on any rank, in any thread and after any restart. With `expand`,
`item_index` is the number of the caption, phrase... that the example is about; else it is None.
"""
Decode = Literal["raw", "cpu", "cuda"]
Collate = Callable[[list[Any]], Any]
"""A batch's examples -> the batch."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """One sample, decoded.

    Attributes:
        sample: its annotations and everything else that is stored.
        image: uint8 [height, width, 3], RGB; a view of the batch's memory.
        regions: indexes of the regions whose masks are painted.
        masks: bool [regions, height, width].
        labels: uint8 [height, width] of class ids, 255 is ignore; None if there is no label map, or
            `labels` is off.
        item_index: with `expand`, the number of the caption, phrase... that this is about; else
            None.
        seed: 64 random bits of this example.
    """

    sample: Sample
    image: Bytes
    regions: tuple[int, ...]
    masks: NDArray[np.bool_]
    labels: Bytes | None
    item_index: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class PixelBatch:
    """Decoded samples of a batch, in order.

    Attributes:
        samples: the samples.
        memory: uint8; all photos, one after the other: one copy of this copies them all.
    """

    samples: Sequence[Pixels]
    memory: Bytes


def all_masks(sample: Sample, _seed: int, _item_index: int | None) -> list[int]:
    """Choose every region that has a mask."""
    return [index for index, region in enumerate(sample.regions) if region.mask is not None]


def no_masks(_sample: Sample, _seed: int, _item_index: int | None) -> list[int]:
    """Choose no region."""
    return []


@dataclass(frozen=True, slots=True)
class PixelTransform:
    """Decodes photos, chosen masks and, on request, label maps.

    Attributes:
        choose: chooses the masks.
        labels: decode label maps.
        photo_memory: memory for photos.
        other_memory: memory for masks and label maps, which are smaller.
    """

    choose: ChooseMasks = no_masks
    labels: bool = False
    photo_memory: Allocator = field(default_factory=BufferPool)
    other_memory: Allocator = field(default_factory=BufferPool)

    def begin(self, request: BatchRequest) -> "_PixelBuilder":
        """Start a batch."""
        return _PixelBuilder(self, request)

    def cost(self, request: BatchRequest) -> int:
        """Bytes of the photos, coded and decoded."""
        return request.coded_bytes + 3 * int(request.pixels.sum())


class _PixelBuilder:
    def __init__(self, transform: PixelTransform, request: BatchRequest) -> None:
        locations = request.locations
        heights, widths = locations.heights.tolist(), locations.widths.tolist()
        self._transform, self._shapes = transform, list(zip(heights, widths, strict=True))
        self._ends: list[int] = np.cumsum(3 * request.pixels).tolist()
        self._memory: Bytes = transform.photo_memory.take(self._ends[-1])
        self._decoded: list[tuple[Pixels] | None] = [None] * len(request)

    def decode(self, raws: RawBatch, reader: Reader) -> None:
        # All samples are parsed before the first photo is decoded: decoding evicts the parser from
        # the CPU's cache, and loading it again for each sample takes longer than parsing does.
        parsed = [_parse(raw, reader) for raw in raws]
        for position, raw, sample in zip(raws.positions, raws, parsed, strict=True):
            if sample is None:
                continue
            try:
                self._decoded[position] = (self._decode(raw, sample, self._image(position)),)
            except DAMAGED as error:
                reader.skips.skip(error, raw.dataset_index, raw.row)

    def collate(self) -> PixelBatch:
        return PixelBatch(drop_skipped(self._decoded), self._memory)

    def _image(self, position: int) -> Bytes:
        height, width = self._shapes[position]
        end = self._ends[position]
        return self._memory[end - 3 * height * width : end].reshape(height, width, 3)

    def _decode(self, raw: RawSample, sample: Sample, image: Bytes) -> Pixels:
        decode_photo(sample, image)
        regions = tuple(self._transform.choose(sample, raw.seed, raw.item_index))
        masks = self._transform.other_memory.array((len(regions), *image.shape[:2]), np.bool_)
        paint_masks(sample, masks_of(sample, regions), masks)
        labels = None
        if self._transform.labels and sample.labels is not None:
            labels = self._transform.other_memory.array(image.shape[:2], np.uint8)
            decode_labels(sample, labels)
        return Pixels(sample, image, regions, masks, labels, raw.item_index, raw.seed)


def _parse(raw: RawSample, reader: Reader) -> Sample | None:
    """The sample; None if it is damaged and skipped."""
    try:
        return raw.sample()
    except DAMAGED as error:
        reader.skips.skip(error, raw.dataset_index, raw.row)
        return None


class RawTransform:
    """Leaves samples as bytes."""

    def begin(self, request: BatchRequest) -> "_RawBuilder":
        """Start a batch."""
        return _RawBuilder(request)

    def cost(self, request: BatchRequest) -> int:
        """Bytes of the batch."""
        return request.coded_bytes


class _RawBuilder:
    def __init__(self, request: BatchRequest) -> None:
        self._request = request
        self._pieces: list[RawBatch] = []

    def decode(self, raws: RawBatch, _reader: Reader) -> None:
        self._pieces.append(raws)

    def collate(self) -> RawBatch:
        if len(self._pieces) == 1:
            return self._pieces[0]
        pieces = sorted((piece for piece in self._pieces if piece), key=lambda p: p.positions[0])
        data = [sample for piece in pieces for sample in piece.data]
        positions = [position for piece in pieces for position in piece.positions]
        return RawBatch(self._request, data, positions)


_DECODED = 8
"""A decoded photo takes about this many times the bytes of the coded one."""


class ExampleTransform(Generic[T, B]):
    """Makes an example of each sample by one function, and a batch of them by another."""

    def __init__(
        self,
        example: ExampleFunction[T] | Sequence[ExampleFunction[T]],
        collate: Callable[[list[T]], B],
    ) -> None:
        """Store the functions; threads call `example`, the caller's thread `collate`.

        Args:
            example: for all samples, or one for each dataset of a mixture.
            collate: makes the batch from its examples.
        """
        self._example, self._collate = example, collate

    def begin(self, request: BatchRequest) -> "_ExampleBuilder[T, B]":
        """Start a batch."""
        function = self._example
        functions = (
            [function] * len(request)
            if callable(function)
            else [function[index] for index in request.dataset_indices.tolist()]
        )
        return _ExampleBuilder(functions, self._collate)

    def cost(self, request: BatchRequest) -> int:
        """Approximate bytes of the batch."""
        return _DECODED * request.coded_bytes


class _ExampleBuilder(Generic[T, B]):
    def __init__(
        self, functions: Sequence[ExampleFunction[T]], collate: Callable[[list[T]], B]
    ) -> None:
        self._functions, self._collate = functions, collate
        self._examples: list[tuple[T] | None] = [None] * len(functions)

    def decode(self, raws: RawBatch, reader: Reader) -> None:
        for position, raw in zip(raws.positions, raws, strict=True):
            try:
                self._examples[position] = self._make(self._functions[position], raw, reader)
            except DAMAGED as error:
                reader.skips.skip(error, raw.dataset_index, raw.row)

    @staticmethod
    def _make(function: ExampleFunction[T], raw: RawSample, reader: Reader) -> tuple[T] | None:
        """An example of this sample or, if it cannot make one, of another sample."""
        candidate: RawSample | None = raw
        for tries in count():
            if candidate is None:
                return None
            try:
                return (function(candidate.sample(), candidate.seed, candidate.item_index),)
            except ExampleError as error:
                candidate = reader.replacement(candidate, error, tries)
        return None

    def collate(self) -> B:
        return self._collate(drop_skipped(self._examples))


def drop_skipped(decoded: Sequence[tuple[T] | None]) -> list[T]:
    """The values that are there; None stands for a skipped sample.

    Raises:
        LoadError: if all samples were skipped.
    """
    values = [each[0] for each in decoded if each is not None]
    if not values:
        raise LoadError("every sample of the batch was skipped")
    return values


def as_list(examples: list[T]) -> list[T]:
    """The batch is the list of its examples."""
    return examples


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputArguments:
    """The arguments of a loader that say what a batch is (see `Loader`), checked.

    Attributes:
        supported: values of `decode` that the loader can do.
    """

    decode: Decode
    example: ExampleFunction[Any] | Sequence[ExampleFunction[Any]] | None
    collate: Collate | None
    masks: ChooseMasks | None
    labels: bool
    device: Any = None
    supported: Sequence[Decode] = ("raw", "cpu")

    def __post_init__(self) -> None:
        """Check that the arguments fit each other.

        Raises:
            LoadError: naming the arguments that contradict each other.
        """
        if self.decode not in self.supported:
            *names, last = map(repr, self.supported)
            more = "" if "cuda" in self.supported else "; shards.load.torch.ShardLoader has 'cuda'"
            raise LoadError(
                f"decode is {self.decode!r}; expected {', '.join(names)} or {last}{more}"
            )
        for first, second, reason in self._conflicts():
            raise LoadError(f"{first} and {second} contradict each other: {reason}")

    def _conflicts(self) -> Iterator[tuple[str, str, str]]:
        """(argument, other argument, reason) of each pair that contradicts."""
        decode = f"decode={self.decode!r}"
        pixels = {"masks": self.masks is not None, "labels=True": self.labels}
        given = [name for name, is_given in pixels.items() if is_given]
        if self.example is not None:
            others = [decode] if self.decode != "cpu" else []
            others += [*given, *(["device"] if self.device is not None else [])]
            for other in others:
                yield "example", other, "the example function decodes what it needs; leave one out"
        elif self.collate is not None:
            yield "collate", "example=None", "collate takes the examples of a batch; give both"
        if self.decode == "raw":
            for name in given:
                yield name, decode, "raw samples are not decoded; take decode='cpu'"
        if self.decode == "cuda" and self.labels:
            yield "labels=True", decode, "only the CPU decodes label maps; take decode='cpu'"
        if self.decode != "cuda" and self.device is not None:
            yield "device", decode, "only decode='cuda' uses a device; leave device out"

    def to_transform(self, datasets: int, memory: Callable[[], Allocator]) -> BatchTransform[Any]:
        """The transform for `raw`, `cpu` or an example function.

        Args:
            datasets: number of datasets of the data.
            memory: makes an allocator, for photos and for other arrays.

        Raises:
            LoadError: if there is one example function per dataset, but not for each.
        """
        if self.example is None:
            if self.decode == "raw":
                return RawTransform()
            return PixelTransform(self.masks or no_masks, self.labels, memory(), memory())
        if not callable(self.example) and len(self.example) != datasets:
            raise LoadError(
                f"example has {len(self.example)} functions, the data {datasets} datasets; give "
                f"one function for all, or one for each"
            )
        return ExampleTransform(self.example, self.collate or as_list)
