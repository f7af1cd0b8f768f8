"""Flickr30k in MDETR's form, and GranD-f's copy with masks."""

import re
from collections.abc import Iterator
from dataclasses import replace

from convert.demo.files.mdetr import MdetrFile
from convert.demo.files.write import write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.captions import write_captions, write_grounded, write_second_caption
from convert.demo.words.names import a, name
from convert.demo.words.phrases import GroundedText, as_phrase, join_texts

_PHOTOS = "flikcr_30k/train"
_SENTENCES, _FEW_SENTENCES = 5, 3
_LOST = "sentence row gone"
_ROW_DEFECTS = {
    "span too long": "SpanError",
    "span before the caption": "SpanError",
    "empty span": "SpanError",
    "rows of two sizes": "AnnotationError",
}
_MASK_DEFECTS = {"mask of another size": "SizeMismatchError", "counts cut short": "MaskDecodeError"}
_NO_BOXES = "nothing has a box"


def draw_flickr30k(options: DrawOptions) -> Truth:
    """Draw five sentences per photo."""
    path = "RefCoco_Reg/mdetr_annotations/final_flickr_mergedGT_train.json"
    files = {"train": (path, MdetrFile(7_000_000))}
    return _draw(options, "flickr30k", 1_000_092_795, files)


def draw_flickr_gcg(options: DrawOptions) -> Truth:
    """Draw fewer sentences, and a mask for every box."""
    path = "GranDf/annotations/train/flickr_mergedGT_GCG_{}.json"
    firsts = {"train": 8_000_000, "val": 9_000_000}
    files = {s: (path.format(s), MdetrFile(first, masks=True)) for s, first in firsts.items()}
    return _draw(options, "flickr_gcg", 3_359_636_318, files)


def _draw(
    options: DrawOptions, source: str, first: int, files: dict[str, tuple[str, MdetrFile]]
) -> Truth:
    masks = files["train"][1].masks
    errors = {**REJECTED, **_ROW_DEFECTS, **(_MASK_DEFECTS if masks else {})}
    samples, rejects = [], []
    for drawn in plan_photos(
        options, "flickr", first, tuple(files), (*errors, *REPAIRABLE, _LOST, _NO_BOXES)
    ):
        photo = f"{_PHOTOS}/{drawn.number}.jpg"
        drawn.save(options.root / photo)
        file = files[drawn.split][1]
        sentences = list(_write_sentences(drawn))[: _FEW_SENTENCES if masks else _SENTENCES]
        if not (masks or drawn.defect or drawn.number % 4):
            file.add(
                drawn, len(sentences), _write_short(drawn)
            )  # too short: filtered, with its box
        regions: list[TrueRegion] = []
        for number, sentence in enumerate(sentences):
            added = file.add(drawn, number, sentence)
            if drawn.defect == _LOST and number == len(sentences) - 1:
                # Its boxes stay in the file, without the photo that they belong to.
                row = file.images.pop()
                rejects.append(TrueReject(f"row-{row['id']}", drawn.split, "AnnotationError"))
                sentences.pop()
            else:
                regions += added
        if error := errors.get(drawn.defect):
            rejects.append(TrueReject(str(drawn.number), drawn.split, error))
            continue
        captions = tuple(sentence.text for sentence in sentences)
        samples.append(
            TrueSample(str(drawn.number), drawn.split, photo, drawn.size, captions, tuple(regions))
        )
    for path, file in files.values():
        write_json(options.root / path, file.as_json())
    (options.root / _PHOTOS).mkdir(parents=True, exist_ok=True)
    return Truth(source, tuple(samples), tuple(rejects))


def _write_sentences(drawn: DrawnPhoto) -> Iterator[GroundedText]:
    """Yield five tokenised sentences; one of them has no boxes."""
    scene = drawn.scene
    whole, second = GroundedText(*write_grounded(scene)), GroundedText(*write_second_caption(scene))
    plain = GroundedText(f"{write_captions(scene, drawn.text_rng)[1]} ")
    last, first = scene.things[-1], scene.things[0]
    marked = [as_phrase(a(name(t)), (m,)) for t, m in zip(scene.things, scene.masks(), strict=True)]
    one = join_texts("Someone looks at ", marked[-1], f" {last.place}, at nothing else.")
    other = join_texts(
        "There is ", marked[0], f" {first.place}. It is ", as_phrase("the thing to see", ())
    )
    seen = replace(other.phrases[-1], masks=other.phrases[0].masks)
    other = replace(other, phrases=(other.phrases[0], seen))
    for sentence in (whole, plain, second, one, other):
        bare = drawn.defect == _NO_BOXES
        yield _tokenise(replace(sentence, phrases=() if bare else sentence.phrases))


def _write_short(drawn: DrawnPhoto) -> GroundedText:
    """A sentence of one phrase."""
    thing, mask = drawn.scene.things[0], drawn.scene.masks()[0]
    return _tokenise(join_texts(as_phrase(thing.kind.capitalize(), (mask,)), "."))


def _tokenise(sentence: GroundedText) -> GroundedText:
    """The sentence with a space before every comma and full stop."""
    marks = [match.start() for match in re.finditer(r"(?<=\S)[.,]", sentence.text)]

    def moved(position: int) -> int:
        return position + sum(mark < position for mark in marks)

    phrases = (replace(p, start=moved(p.start), stop=moved(p.stop)) for p in sentence.phrases)
    return GroundedText(re.sub(r"(?<=\S)([.,])", r" \1", sentence.text), tuple(phrases))
