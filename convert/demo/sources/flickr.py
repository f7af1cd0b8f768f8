"""Flickr30k in MDETR's form; and GranD-f's copy of it with masks."""

import re
from collections.abc import Iterator
from dataclasses import replace

from convert.demo.files.files import write_json
from convert.demo.files.mdetr import MdetrFile
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.spoken import Said, mark, say
from convert.demo.words.tell import retell, write_captions, write_grounded
from convert.demo.words.words import a, name

_PHOTOS = "flikcr_30k/train"
_SENTENCES, _FEWER = 5, 3
_LOST = "sentence row gone"
_ROW_DEFECTS = {
    "span too long": "SpanError",
    "span before the caption": "SpanError",
    "empty span": "SpanError",
    "rows of two sizes": "AnnotationError",
}
_MASK_DEFECTS = {"mask of another size": "SizeMismatchError", "counts cut short": "MaskDecodeError"}
_NOT_TOLD = "nothing has a box"


def draw_flickr30k(brief: Brief) -> Truth:
    """Five sentences a photo."""
    place = "RefCoco_Reg/mdetr_annotations/final_flickr_mergedGT_train.json"
    files = {"train": (place, MdetrFile(7_000_000))}
    return _draw(brief, "flickr30k", 1_000_092_795, files)


def draw_flickr_gcg(brief: Brief) -> Truth:
    """Fewer sentences, and a mask for every box."""
    place = "GranDf/annotations/train/flickr_mergedGT_GCG_{}.json"
    firsts = {"train": 8_000_000, "val": 9_000_000}
    files = {s: (place.format(s), MdetrFile(first, masks=True)) for s, first in firsts.items()}
    return _draw(brief, "flickr_gcg", 3_359_636_318, files)


def _draw(brief: Brief, source: str, first: int, files: dict[str, tuple[str, MdetrFile]]) -> Truth:
    masks = files["train"][1].masks
    errors = {**REJECTED, **_ROW_DEFECTS, **(_MASK_DEFECTS if masks else {})}
    samples, rejects = [], []
    for study in plan_studies(
        brief, "flickr", first, tuple(files), (*errors, *MENDED, _LOST, _NOT_TOLD)
    ):
        photo = f"{_PHOTOS}/{study.number}.jpg"
        study.save(brief.root / photo)
        file = files[study.split][1]
        told = list(_tell(study))[: _FEWER if masks else _SENTENCES]
        if not (masks or study.defect or study.number % 4):
            file.add(study, len(told), _blurt(study))  # too short: filtered, with its box
        regions: list[TrueRegion] = []
        for number, said in enumerate(told):
            found = file.add(study, number, said)
            if study.defect == _LOST and number == len(told) - 1:
                # Its boxes stay; nothing says any more which photo they were about.
                row = file.images.pop()
                rejects.append(TrueReject(f"row-{row['id']}", study.split, "AnnotationError"))
                told.pop()
            else:
                regions += found
        if error := errors.get(study.defect):
            rejects.append(TrueReject(str(study.number), study.split, error))
            continue
        captions = tuple(said.text for said in told)
        samples.append(
            TrueSample(str(study.number), study.split, photo, study.size, captions, tuple(regions))
        )
    for place, file in files.values():
        write_json(brief.root / place, file.as_json())
    (brief.root / _PHOTOS).mkdir(parents=True, exist_ok=True)
    return Truth(source, tuple(samples), tuple(rejects))


def _tell(study: Study) -> Iterator[Said]:
    """Five sentences, tokenised; one of them means nothing that has a box."""
    scene = study.scene
    whole, twice = Said(*write_grounded(scene)), Said(*retell(scene))
    plain = Said(f"{write_captions(scene, study.words)[1]} ")
    last, first = scene.things[-1], scene.things[0]
    marked = [mark(a(name(t)), (m,)) for t, m in zip(scene.things, scene.masks(), strict=True)]
    one = say("Someone looks at ", marked[-1], f" {last.place}, at nothing else.")
    other = say("There is ", marked[0], f" {first.place}. It is ", mark("the thing to see", ()))
    seen = replace(other.phrases[-1], masks=other.phrases[0].masks)
    other = replace(other, phrases=(other.phrases[0], seen))
    for said in (whole, plain, twice, one, other):
        bare = study.defect == _NOT_TOLD
        yield _tokenise(replace(said, phrases=() if bare else said.phrases))


def _blurt(study: Study) -> Said:
    """A sentence that says no more than what there is."""
    thing, mask = study.scene.things[0], study.scene.masks()[0]
    return _tokenise(say(mark(thing.kind.capitalize(), (mask,)), "."))


def _tokenise(said: Said) -> Said:
    """A blank before every comma and full stop; phrases move with their words."""
    blanks = [match.start() for match in re.finditer(r"(?<=\S)[.,]", said.text)]

    def moved(place: int) -> int:
        return place + sum(blank < place for blank in blanks)

    phrases = (replace(p, start=moved(p.start), stop=moved(p.stop)) for p in said.phrases)
    return Said(re.sub(r"(?<=\S)([.,])", r" \1", said.text), tuple(phrases))
