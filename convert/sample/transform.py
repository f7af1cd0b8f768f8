"""Record and bytes in, sample out. Pure: no files, no clock, no randomness.

A straight line: read the headers, choose the pixels the annotations are in, filter, store the
photo, its regions and its label map. Control enters no other module twice.
"""

from dataclasses import dataclass

from convert.errors import AnnotationError, RecordError, SizeMismatchError, SpanError
from convert.geometry import fit_longest_side
from convert.image.header import LabelMapHeader, PhotoHeader, read_headers
from convert.image.policy import ImagePolicy
from convert.image.store import store
from convert.record import RawRegion, Record
from convert.sample.filters import KEEP_ALL, Filters, apply_filters
from convert.sample.labels import store_labels
from convert.sample.masks import store_masks
from shards.sample import Box, EncodedImage, LabelMap, Region, Rle, Sample, Size

TRANSFORM_VERSION = 1
"""Part of every task's digest: raise it when the same record is to give another sample."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels a record is in, and those it is stored in.

    Attributes:
        size: of the photo as the annotations see it.
        stored: of the stored photo.
        apply_orientation: whether the annotations see the photo as its EXIF orientation asks.
    """

    size: Size
    stored: Size
    apply_orientation: bool


def transform(  # noqa: PLR0913 - what a sample is made of, and by which rules
    key: str,
    record: Record,
    photo: bytes,
    labels: bytes | None,
    policy: ImagePolicy,
    *,
    filters: Filters = KEEP_ALL,
) -> tuple[Sample, tuple[str, ...]]:
    """(sample, notes of what was normalised).

    Args:
        key: of the sample.
        record: the annotations of the source.
        photo: the original file.
        labels: the file of the label map, if the record has one.
        policy: how to store images.
        filters: what to leave out.

    Raises:
        FilteredOut: if the filters leave nothing of it.
        RecordError: of the kind that says what is wrong with the data.
    """
    header, label_header = read_headers(photo, labels, policy)
    frame, orientation_notes = _choose_frame(header, _annotated_size(record, label_header), policy)
    filter_notes: tuple[str, ...] = ()
    if filters != KEEP_ALL:
        record, filter_notes = apply_filters(record, frame.size, filters)
    upright = frame.apply_orientation
    image, done = store(photo, header, frame.stored, policy, apply_orientation=upright)
    _check_spans(record)
    regions, region_notes = _store_regions(record.regions, frame)
    label_map = _store_labels(record, labels, label_header, frame)
    sample = _build_sample(key, record, image, frame.size, regions, labels=label_map)
    dropped = ("colour profile dropped",) if header.jpeg and header.jpeg.profile else ()
    notes = (*dropped, *orientation_notes, *record.notes, *filter_notes, *region_notes)
    return sample, (f"photo {done}", *notes)


def _build_sample(  # noqa: PLR0913 - the parts of a sample
    key: str,
    record: Record,
    image: EncodedImage,
    original_size: Size,
    regions: tuple[Region, ...],
    *,
    labels: LabelMap | None,
) -> Sample:
    return Sample(
        key=key,
        image=image,
        original_size=original_size,
        file=record.file,
        ids=record.ids,
        captions=record.captions,
        regions=regions,
        conversations=record.conversations,
        labels=labels,
    )


def _annotated_size(record: Record, labels: LabelMapHeader | RecordError | None) -> Size | None:
    """The size that the annotation gives, or else that of the label map."""
    if record.size is not None or labels is None:
        return record.size
    return _valid(labels).size


def _valid(header: LabelMapHeader | RecordError) -> LabelMapHeader:
    if isinstance(header, RecordError):
        # A new exception: a traceback that holds this frame would keep the photo in memory.
        raise type(header)(*header.args)
    return header


def _choose_frame(
    header: PhotoHeader, annotated: Size | None, policy: ImagePolicy
) -> tuple[Frame, tuple[str, ...]]:
    """Decide whether the annotations see the photo with its EXIF orientation applied.

    The annotated size decides. Where it cannot (no size given, or an orientation that keeps it)
    the orientation is applied, as people and most programs see the photo, and that is counted.
    """
    apply = header.orientation != 1
    notes: tuple[str, ...] = ()
    if annotated is not None and annotated != header.upright:
        if annotated != header.size:
            raise SizeMismatchError(f"photo is {header.upright}, its annotation is of {annotated}")
        apply, notes = False, ("EXIF turn ignored: annotated unturned",)
    elif apply and (annotated is None or header.size == header.upright):
        notes = ("EXIF turn applied: annotation cannot tell",)
    size = header.upright if apply else header.size
    return Frame(size, fit_longest_side(size, policy.longest_side), apply), notes


def _check_spans(record: Record) -> None:
    for region in record.regions:
        for span in region.spans:
            length = len(record.captions[span.caption])
            if not 0 <= span.start < span.stop <= length:
                raise SpanError(
                    f"phrase {region.phrases[:1]} has characters [{span.start}, {span.stop}); "
                    f"its caption has {length}"
                )


def _store_regions(
    regions: tuple[RawRegion, ...], frame: Frame
) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    notes: list[str] = []
    masks = store_masks([region.masks for region in regions], frame.size, frame.stored)
    stored = tuple(
        _store_region(region, mask, frame, notes)
        for region, mask in zip(regions, masks, strict=True)
    )
    return stored, tuple(notes)


def _store_region(raw: RawRegion, mask: Rle | None, frame: Frame, notes: list[str]) -> Region:
    box = None
    if raw.box is not None:
        box, inside = _store_box(raw.box, frame)
        if not inside:
            notes.append("box clipped to its photo")
    return Region(
        phrases=raw.phrases,
        box=box,
        mask=mask,
        spans=raw.spans,
        category=raw.category,
        attributes=raw.attributes,
        parent=raw.parent,
        ids=raw.ids,
    )


def _store_box(raw: Box, frame: Frame) -> tuple[Box, bool]:
    """(the box in stored pixels, whether it was inside of the photo)."""
    if not (raw.x0 <= raw.x1 and raw.y0 <= raw.y1):  # written so that a NaN fails as well
        raise AnnotationError(f"{raw} ends before it begins")
    clipped = clip_box(raw, frame.size)
    # Scaling may overstep the border by a rounding error; clipping again is exact.
    return clip_box(scale_box(clipped, frame.size, frame.stored), frame.stored), clipped == raw


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


def _store_labels(
    record: Record,
    labels: bytes | None,
    header: LabelMapHeader | RecordError | None,
    frame: Frame,
) -> LabelMap | None:
    if record.labels is None or labels is None or header is None:
        return None
    return store_labels(labels, _valid(header), record.labels.table, frame.size, frame.stored)
