"""Record and bytes in, sample out. Pure: no files, no clock, no randomness."""

from dataclasses import dataclass

from convert.errors import AnnotationError, SizeMismatchError, SpanError
from convert.geometry import clip_box, fit_longest_side, scale_box
from convert.image.decode import Header, read_header
from convert.image.image import store
from convert.image.policy import ImagePolicy
from convert.record import RawRegion, Record
from convert.sample.filters import KEEP_ALL, Filters, apply_filters
from convert.sample.labels import read_label_size, store_labels
from convert.sample.masks import store_masks
from shards.sample import Box, LabelMap, Region, Rle, Sample, Size

TRANSFORM_VERSION = 1
"""Part of every task's digest: raise it when the same record shall give another sample."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels a record is in, and those it is stored in."""

    size: Size
    stored: Size
    turn: bool


def transform(  # noqa: PLR0913 - what a sample is made of, and by which rules
    key: str,
    record: Record,
    photo: bytes,
    labels: bytes | None,
    policy: ImagePolicy,
    *,
    filters: Filters = KEEP_ALL,
) -> tuple[Sample, tuple[str, ...]]:
    """(sample, what was normalised).

    Args:
        key: of the sample.
        record: what the source says.
        photo: the original file.
        labels: the label map's file, where the record has one.
        policy: how images are stored.
        filters: what is left out.

    Raises:
        LeftOut: if the filters leave nothing of it.
        RecordError: of the kind that says what is wrong with the data.
    """
    header = read_header(photo, policy)
    annotated = record.size
    if annotated is None and labels is not None:
        annotated = read_label_size(labels, policy)
    frame, turned = _choose_frame(header, annotated, policy)
    record, left_out = apply_filters(record, frame.size, filters)
    image, done = store(photo, header, frame.stored, policy, turn=frame.turn)
    _check_spans(record)
    regions, region_notes = _store_regions(record.regions, frame)
    sample = Sample(
        key=key,
        image=image,
        original_size=frame.size,
        file=record.file,
        ids=record.ids,
        captions=record.captions,
        regions=regions,
        conversations=record.conversations,
        labels=_store_labels(record, labels, frame, policy),
    )
    profile = header.jpeg is not None and header.jpeg.profile
    dropped = ("colour profile dropped",) if profile else ()
    return sample, (f"photo {done}", *dropped, *turned, *record.notes, *left_out, *region_notes)


def _choose_frame(
    header: Header, annotated: Size | None, policy: ImagePolicy
) -> tuple[Frame, tuple[str, ...]]:
    """Whether the annotations were made on the photo as its EXIF tag turns it, or as it lies.

    The annotated size decides. Where it cannot (no size given, or a turn that keeps it) the photo
    is turned upright, as people and most programs see it, and that is counted.
    """
    turn = header.orientation != 1
    notes: tuple[str, ...] = ()
    if annotated is not None and annotated != header.upright:
        if annotated != header.size:
            raise SizeMismatchError(f"photo is {header.upright}, its annotation is of {annotated}")
        turn, notes = False, ("EXIF turn ignored: annotated unturned",)
    elif turn and (annotated is None or header.size == header.upright):
        notes = ("EXIF turn applied: annotation cannot tell",)
    size = header.upright if turn else header.size
    return Frame(size, fit_longest_side(size, policy.longest_side), turn), notes


def _check_spans(record: Record) -> None:
    for region in record.regions:
        for span in region.spans:
            length = len(record.captions[span.caption])
            if not 0 <= span.start < span.stop <= length:
                raise SpanError(
                    f"{region.phrases[:1]}: characters [{span.start}, {span.stop}) of a caption "
                    f"of {length}"
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
    if not (raw.x0 <= raw.x1 and raw.y0 <= raw.y1):  # written so that a NaN fails as well
        raise AnnotationError(f"{raw} ends before it begins")
    clipped = clip_box(raw, frame.size)
    # Scaling may overstep the border by a rounding error; clipping again is exact.
    return clip_box(scale_box(clipped, frame.size, frame.stored), frame.stored), clipped == raw


def _store_labels(
    record: Record, labels: bytes | None, frame: Frame, policy: ImagePolicy
) -> LabelMap | None:
    if record.labels is None or labels is None:
        return None
    return store_labels(labels, record.labels.table, frame.size, frame.stored, policy)
