"""Examples made of the miniature's shards against upstream's files, read the plain way.

Nothing of the package computes what is expected here: masks are pycocotools' and PIL's, boxes are
divided by hand, and text is put together anew.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from shards.glamm import SOURCES, WORDING, ExampleError, Examples, Settings, examples_for
from shards.glamm.sources import COUNTED
from shards.layout import read_split
from tests.oracle.test_plain_readers import LABELS, REFS, Plain, decode
from tests.oracle.test_plain_readers_of_words import SPLITS

SMALL = Settings(clip_side=28, sam_side=64)
"""Pixels are another test's matter."""
HEAD = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the human's questions. "
)


class Named(NamedTuple):
    """A thing of a photo by one of its names.

    Attributes:
        at: (number of the caption, its characters there), if it stands in one.
        mask: bool, of upstream's size.
        box: x0, y0, x1, y1 as shares of the photo.
    """

    name: str
    at: tuple[int, int, int] | None = None
    mask: Any = None
    box: Any = None


class Facts(NamedTuple):
    """What upstream says of a photo; everything in the order in which the index counts it."""

    named: list[Named] = []  # noqa: RUF012 - never changed
    captions: list[str] = []  # noqa: RUF012
    talks: list[list[tuple[str, str]]] = []  # noqa: RUF012


def read_words(source: str) -> Callable[[Path], dict[str, Facts]]:
    read, place = SPLITS[source, "train"]

    def facts(root):
        return {Path(p.file).stem: of_photo(p) for p in read(root, root / place)}

    return facts


def of_photo(photo):
    sides = [photo.size.width, photo.size.height] * 2
    named = []
    for said, corners, mask in photo.things:
        box = None if corners is None else np.clip(corners, 0, sides) / sides
        spans: list[Any] = [(s.caption, s.start, s.stop) for s in said.spans]
        spans = spans or [None] * len(said.phrases)
        for phrase, at in zip(said.phrases, spans, strict=True):
            named.append(Named(phrase, at, mask, box))
    return Facts(named, photo.captions)


def read_grounded(name):
    def facts(root):
        photos: dict[str, Facts] = {}
        rows = json.loads((root / f"GranDf/annotations/train/{name}_train.json").read_text())
        for row in rows:
            stem = Path(row["file_name"]).stem
            photo = photos.setdefault(stem, Facts([], []))
            photo.captions.append(row["caption"].strip('"').strip())
            for phrase, found in row["groundings"].items():
                at = found and (len(photo.captions) - 1, *found["token_positives"])
                mask = found and decode(found["rle_masks"], row["height"], row["width"])
                photo.named.append(Named(phrase, at, mask))
        return photos

    return facts


def read_labels(source):
    places, meaning = LABELS[source]

    def facts(root):
        listed = json.loads((Path("configs/classes") / f"{source}.json").read_text())["classes"]
        photos = {}
        for path in sorted(root.glob(f"{places}/*.png")):
            values = meaning(np.asarray(Image.open(path)).astype(int))
            named = [
                Named(row["name"].lower(), None, values == row["id"])
                for row in listed
                if not (source == "coco_stuff" and "-" in row["name"])
            ]
            photos[path.stem] = Facts(named)
        return photos

    return facts


def read_parts(place):
    def facts(root):
        file = json.loads((root / place).read_text())
        names = {row["id"]: row["name"] for row in file["categories"]}
        sizes = {row["id"]: (row["height"], row["width"]) for row in file["images"]}
        photos: dict[str, Facts] = {f"{number:012d}": Facts([]) for number in sizes}
        for row in file["annotations"]:
            parts = row["segmentation"]
            mask = decode(parts, *sizes[row["image_id"]]) if parts else None
            photos[f"{row['image_id']:012d}"].named.append(
                Named(names[row["category_id"]], None, mask)
            )
        return photos

    return facts


def read_refs(source):
    folder, split_by = REFS[source]

    def facts(root):
        where = root / "Refer_Segm" / folder
        with (where / f"refs({split_by}).p").open("rb") as stream:
            refs = Plain(stream).load()
        file = json.loads((where / "instances.json").read_text())
        sizes = {row["id"]: (row["height"], row["width"]) for row in file["images"]}
        parts = {row["id"]: row["segmentation"] for row in file["annotations"]}
        grouped: dict[str, dict[Any, list[Any]]] = {}
        for ref in refs:
            photo = grouped.setdefault(f"{ref['image_id']:012d}", {})
            photo.setdefault(ref["ann_id"], []).append(ref)
        photos = {}
        for stem, things in grouped.items():
            named = []
            for ann_id, own in things.items():
                size = sizes[own[0]["image_id"]]
                mask = decode(parts[ann_id], *size) if parts[ann_id] else None
                named += [Named(s["sent"], None, mask) for ref in own for s in ref["sentences"]]
            photos[stem] = Facts(named)
        return photos

    return facts


def read_captions(root):
    file = json.loads((root / "coco_2017/annotations/captions_train2017.json").read_text())
    rows = file["annotations"]
    return {
        f"{i['id']:012d}": Facts([], [r["caption"] for r in rows if r["image_id"] == i["id"]])
        for i in file["images"]
    }


def read_talks(root):
    photos: dict[str, Facts] = {}
    for row in json.loads((root / "llava_dataset/llava_instruct_150k.json").read_text()):
        talk = [(turn["from"], turn["value"]) for turn in row["conversations"]]
        photos.setdefault(Path(row["image"]).stem, Facts([], [], [])).talks.append(talk)
    return photos


READERS = {
    "grandf_ha": read_grounded("GranDf_HA_GCG"),
    "openpsg_gcg": read_grounded("OpenPsgGCG"),
    **{source: read_labels(source) for source in LABELS},
    "paco_lvis": read_parts("Semantic_Segm/paco_lvis/annotations/paco_lvis_v1_train.json"),
    "pascal_part": read_parts("Semantic_Segm/pascal_part/train.json"),
    **{source: read_refs(source) for source in REFS},
    **{source: read_words(source) for source, split in SPLITS if split == "train"},
    "coco_captions": read_captions,
    "llava_instruct": read_talks,
}


def cut(text):
    """[(question, answer)] of a conversation, the opening still before the first question."""
    assert text.startswith(HEAD)
    rounds = text.removeprefix(HEAD).split("</s>")
    assert rounds.pop() == ""
    pairs = [part.removeprefix("USER: ").split(" ASSISTANT: ") for part in rounds]
    assert all(len(pair) == 2 for pair in pairs)
    return pairs


def shrink(mask, sample):
    size = (sample.image.size.width, sample.image.size.height)
    image = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.NEAREST))


def is_from(text, templates, mark, value):
    return any(text == template.replace(mark, value) for template in templates)


def check_grounded(example, facts, sample, which):
    ((question, answer),) = cut(example.conversation)
    assert question.removeprefix(WORDING.opening) in WORDING.grounded_questions
    assert example.questions == (question.removeprefix(WORDING.opening),)
    lowered = sample.key.startswith("refcocog_gcg")
    captions = [caption.lower() if lowered else caption for caption in facts.captions]
    caption = re.sub(r"<p> | </p> \[SEG\]", "", answer)
    number = captions.index(caption) if which is None else which
    assert captions[number] == caption
    expected = [named for named in facts.named if named.at and named.at[0] == number]
    firsts = {id(named.mask): named for named in reversed(expected) if named.mask is not None}
    spans = sorted((named.at[1:], named) for named in firsts.values())
    kept: list[Named] = []
    for (start, _), named in sorted(spans, key=lambda pair: (pair[0][0], -pair[0][1])):
        if not kept or kept[-1].at is None or start >= kept[-1].at[2]:
            kept.append(named)
    for named in reversed(kept):
        assert named.at
        _, start, stop = named.at
        inside = f"<p> {caption[start:stop]} </p> [SEG]"
        caption = caption[:start] + inside + caption[stop:]
    assert answer == caption
    assert list(example.names) == [named.name for named in kept]
    masks = [shrink(named.mask, sample) for named in kept]
    np.testing.assert_array_equal(example.masks, masks)


def check_named(example, facts, sample, which):
    pairs = cut(example.conversation)
    usable = [named for named in facts.named if named.mask is not None and named.mask.any()]
    assert len(pairs) == len(example.names) == len(example.masks) == len(example.questions)
    assert len(pairs) == (1 if which is not None else min(3, len(usable))) or any(
        named.mask is not None and not named.mask.any() for named in facts.named
    )
    for number, (question, answer) in enumerate(pairs):
        said = question if number else question.removeprefix(WORDING.opening)
        assert said == example.questions[number]
        name = example.names[number]
        assert is_from(said, WORDING.segment_questions, "{class_name}", name.lower())
        assert answer in WORDING.segment_answers
        meant = [n.mask for n in facts.named if n.mask is not None and name in spell(n.name)]
        assert any(np.array_equal(shrink(mask, sample), example.masks[number]) for mask in meant)
    if which is not None:
        assert example.names[0] in spell(facts.named[which].name)
        np.testing.assert_array_equal(example.masks[0], shrink(facts.named[which].mask, sample))


def spell(name):
    """A name as the reference may speak of it."""
    thing, _, part = (word.split("_(")[0] for word in name.strip().partition(":"))
    return {name.strip()} | ({f"{thing} {part}", f"the {part} of the {thing}"} if part else {thing})


def check_boxed(example, facts, sample, which):
    alone = SOURCES[sample.key.partition("-")[0]].task == "expression"
    opening = WORDING.expression_opening if alone else WORDING.opening
    templates = WORDING.expression_questions if alone else WORDING.region_questions
    pairs = cut(example.conversation)
    usable = [named for named in facts.named if named.box is not None]
    assert len(pairs) == (1 if alone or which is not None else min(10, len(usable)))
    assert example.boxes.shape == (len(pairs), 4)
    for number, (question, answer) in enumerate(pairs):
        said = question if number else question.removeprefix(opening)
        assert said == example.questions[number]
        assert is_from(said, templates, "<region>", f"region{number + 1} <bbox>")
        assert answer == example.names[number]
        meant = [n.box for n in facts.named if n.name == answer and n.box is not None]
        assert any(np.allclose(box, example.boxes[number], rtol=0, atol=1e-4) for box in meant)
    if which is not None:
        assert example.names == (facts.named[which].name,)
        np.testing.assert_allclose(example.boxes[0], facts.named[which].box, rtol=0, atol=1e-4)


def check_sentence(example, facts, sample, which):
    del sample
    (question, caption), *others = cut(example.conversation)
    number = facts.captions.index(caption) if which is None else which
    assert facts.captions[number] == caption
    count = len(others)
    every = "".join(f"region{n + 1} <bbox>," for n in range(count))
    said = question.removeprefix(WORDING.opening)
    assert example.questions == (said,)
    assert is_from(said, WORDING.group_questions, "<region>", every)
    assert example.boxes.shape == (2 * count, 4)
    np.testing.assert_array_equal(example.boxes[:count], example.boxes[count:])
    here = [n for n in facts.named if n.at and n.at[0] == number]
    assert count == min(10, len({tuple(named.box) for named in here}))
    for place, (question, answer) in enumerate(others):
        region = f"region{place + 1} <bbox>"
        assert is_from(question, WORDING.region_questions, "<region>", region)
        assert answer == example.names[place]
        meant = [named.box for named in here if named.name == answer]
        assert any(np.allclose(box, example.boxes[place], rtol=0, atol=1e-4) for box in meant)


def check_caption(example, facts, sample, which):
    del sample
    ((question, answer),) = cut(example.conversation)
    assert question.removeprefix(WORDING.opening) in WORDING.caption_questions
    assert answer in [caption.strip() for caption in facts.captions]
    assert example.names == (answer,)
    assert example.questions == ()
    if which is not None:
        assert answer == facts.captions[which].strip()


def check_talk(example, facts, sample, which):
    del sample
    expected = []
    for talk in facts.talks:
        talk = talk[1:] if talk[0][0] == "gpt" else talk  # noqa: PLW2901
        texts = [
            f"<image>\n{text.replace('<image>', '').strip()}" if "<image>" in text else text
            for _, text in talk
        ]
        expected.append([[q, a] for q, a in zip(texts[::2], texts[1::2], strict=True)])
    found = cut(example.conversation)
    assert found in expected
    assert example.questions == example.names == (example.conversation,)
    if which is not None:
        assert found == expected[which]


CHECKS = {
    "grounded": check_grounded,
    "referring": check_named,
    "labels": check_named,
    "parts": check_named,
    "expression": check_boxed,
    "regions": check_boxed,
    "sentence": check_sentence,
    "caption": check_caption,
    "conversation": check_talk,
}


@pytest.mark.parametrize("source", SOURCES)
def test_examples_are_what_upstream_says(miniature, converted, source):
    folder = converted / source / "train"
    (made,) = examples_for(folder, SMALL)
    facts = READERS[source](miniature.root)
    count = 0
    for sample in read_split(folder):
        photo = facts[sample.key.removeprefix(f"{source}-")]
        counted = {"captions": photo.captions, "conversations": photo.talks, "phrases": photo.named}
        column = COUNTED[made.does]
        several = range(len(counted[column])) if column else ()
        for seed, which in [(0, None), (1, None), (2, None), *((3, n) for n in several)]:
            try:
                example = made.example(sample, seed, which)
            except ExampleError as error:
                assert sample.key in str(error)  # noqa: PT017
                assert not is_possible(made, photo, which)
                continue
            assert example.key == sample.key
            CHECKS[made.does](example, photo, sample, which)
            check_shapes(example, made, sample)
            count += 1
    assert count


def is_possible(made: Examples, facts: Facts, which: int | None) -> bool:
    """Whether upstream says enough."""
    if made.does in ("grounded", "sentence"):
        spoken = [
            n.at[0]
            for n in facts.named
            if n.at and (n.mask if made.does == "grounded" else n.box) is not None
        ]
        return which in spoken if which is not None else bool(spoken)
    named = facts.named if which is None else facts.named[which : which + 1]
    return any(n.mask is not None or n.box is not None for n in named)


def check_shapes(example, made, sample):
    size = sample.image.size
    assert example.clip.shape == (3, 28, 28)
    assert (example.boxes is None) == (made.family != "reg")
    if made.family != "seg":
        assert (example.sam, example.masks, example.labels, example.resized) == (None,) * 4
        return
    assert example.sam.shape == (3, 64, 64)
    assert example.masks.dtype == np.uint8
    assert example.masks.shape == (len(example.names), size.height, size.width)
    assert example.labels.shape == (size.height, size.width)
    assert example.conversation.count("[SEG]") == len(example.masks)
    assert max(example.resized) == 64
