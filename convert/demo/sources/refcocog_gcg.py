"""RefCOCOg converted to grounded captions by GranD-f: polygons, and phrases without offsets."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from convert.demo.files.coco import TRAIN_2014, box_of
from convert.demo.files.write import write_json
from convert.demo.scene.compose import Thing
from convert.demo.scene.photos import REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.scene.raster import rasterise
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.names import a, name, plural

_ROWS = "GranDf/annotations/train/RefCOCOg_GCG_{}.json"
_SPLITS = ("train", "val")
_FIRST = 519_404
_ERRORS = {
    "missing": "ImageMissingError",
    "truncated": "ImageDecodeError",
    "web page": "ImageDecodeError",
    "odd ring": "MaskDecodeError",
}
_WRAPS = ('"{}"', "{}", '" {} "')


@dataclass(frozen=True, slots=True)
class _Ref:
    """A phrase of a caption, and the thing that it names."""

    sentence: str
    thing: Thing


def draw_refcocog_gcg(options: DrawOptions) -> Truth:
    """Draw a file for each split, and photos of the 2014 edition."""
    rows: dict[str, list[object]] = {split: [] for split in _SPLITS}
    samples, rejects = [], []
    defects = (*_ERRORS, *REPAIRABLE, "no mask")
    for drawn in plan_photos(options, "coco", _FIRST, _SPLITS, defects):
        key = f"COCO_train2014_{drawn.number:012d}"
        photo = f"{TRAIN_2014}/{key}.jpg"
        drawn.save(options.root / photo)
        captions: list[str] = []
        regions: list[TrueRegion] = []
        for caption, refs in _write_sentences(drawn):
            regions += _find(drawn, refs, caption, len(captions))
            row = {
                "img_file_name": f"{key}.jpg",
                "caption": _WRAPS[drawn.number % len(_WRAPS)].format(caption),
                "refs": _refs(drawn, refs),
            }
            rows[drawn.split].append({f"{drawn.number * 10 + len(captions)}": row})
            captions.append(caption)
        error = _ERRORS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            sample = TrueSample(
                key, drawn.split, photo, drawn.size, tuple(captions), tuple(regions)
            )
            samples.append(sample)
    for split in _SPLITS:
        write_json(options.root / _ROWS.format(split), rows[split])
    (options.root / TRAIN_2014).mkdir(parents=True, exist_ok=True)
    return Truth("refcocog_gcg", tuple(samples), tuple(rejects))


def _write_sentences(drawn: DrawnPhoto) -> Iterator[tuple[str, list[_Ref]]]:
    """Yield (caption, refs); some photos have two."""
    things = drawn.scene.things
    yield _compose(drawn, things)
    if drawn.number % 4 == 0:
        yield _compose(drawn, things[::-1])


def _compose(drawn: DrawnPhoto, things: tuple[Thing, ...]) -> tuple[str, list[_Ref]]:
    """A caption with words inside other words, a phrase in a phrase, and a repeated phrase."""
    first, second = things[:2]
    other = next((thing for thing in things if thing.kind != first.kind), None)
    near = f" near {a(name(other))}" if other else ""
    caption = (
        f"{plural(first.kind).capitalize()} are common, and one {first.kind} is here: "
        f"{a(name(first))}{near}. One thing is {first.colour} and one thing is {second.colour}."
    )
    refs = [_Ref(f"{a(name(first))}{near}".upper(), first)]
    refs += [_Ref(a(name(other)).capitalize(), other)] if other else []
    refs += [_Ref("one thing", first), _Ref("One thing", second)]
    strange = [_Ref(first.kind, first), _Ref(f"the {second.kind} that nobody mentions", second)]
    return caption, [*strange, *refs] if drawn.number % 2 else [*refs, *strange]


def _find(drawn: DrawnPhoto, refs: list[_Ref], caption: str, number: int) -> Iterator[TrueRegion]:
    """Yield the regions with the spans of their phrases: whole words, each occurrence once."""
    uses: Counter[str] = Counter()
    for index, ref in enumerate(refs):
        words = ref.sentence.lower()
        matches = [match.span() for match in re.finditer(rf"\b{words}\b", caption.lower())]
        spans = ((number, *matches[uses[words]]),) if matches else ()
        uses[words] += 1
        bare = drawn.defect == "no mask" and index == 0
        runs = None if bare else rasterise(ref.thing.rings, drawn.size)
        yield TrueRegion((ref.sentence,), None, runs, spans)


def _refs(drawn: DrawnPhoto, refs: list[_Ref]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for index, ref in enumerate(refs):
        x0, y0, x1, y1 = box_of(ref.thing)
        rings = [list(ring) for ring in ref.thing.rings]
        if index == 0 and drawn.defect == "odd ring":
            rings = [[*rings[0], 1.0]]
        if index == 0 and drawn.defect == "no mask":
            rings = []
        box = [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]
        rows.append({"sentence": ref.sentence, "bbox": box, "segmentation": rings})
    return rows
