"""Examples from the miniature's shards against upstream's files, read by independent code.

The expected values do not use the package: masks come from pycocotools and PIL, boxes and text are
computed here.
"""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from shards.glamm import SOURCES, WORDING, ExampleError, Examples, Settings, examples_for
from shards.glamm.sources import ITEM_COLUMNS
from shards.layout import read_split
from tests.e2e.glamm_annotations import READERS, NamedObject, PhotoAnnotations

SMALL = Settings(clip_side=28, sam_side=64)
"""Small inputs: tests/unit/shards/glamm/test_pixels.py checks their values."""
HEAD = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the human's questions. "
)


def split_exchanges(text):
    """[(question, answer)] of a conversation; the first question still has its opening."""
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


def is_from(text, templates, token, value):
    return any(text == template.replace(token, value) for template in templates)


def check_grounded(example, annotations, sample, item_index):
    ((question, answer),) = split_exchanges(example.conversation)
    assert question.removeprefix(WORDING.opening) in WORDING.grounded_questions
    assert example.questions == (question.removeprefix(WORDING.opening),)
    lowercase = sample.key.startswith("refcocog_gcg")
    captions = [caption.lower() if lowercase else caption for caption in annotations.captions]
    caption = re.sub(r"<p> | </p> \[SEG\]", "", answer)
    number = captions.index(caption) if item_index is None else item_index
    assert captions[number] == caption
    mentioned = [each for each in annotations.objects if each.span and each.span[0] == number]
    firsts = {id(each.mask): each for each in reversed(mentioned) if each.mask is not None}
    spans = sorted((each.span[1:], each) for each in firsts.values() if each.span)
    expected: list[NamedObject] = []
    for (start, _), each in sorted(spans, key=lambda pair: (pair[0][0], -pair[0][1])):
        if not expected or expected[-1].span is None or start >= expected[-1].span[2]:
            expected.append(each)
    for each in reversed(expected):
        assert each.span
        _, start, stop = each.span
        inside = f"<p> {caption[start:stop]} </p> [SEG]"
        caption = caption[:start] + inside + caption[stop:]
    assert answer == caption
    assert list(example.names) == [each.name for each in expected]
    masks = [shrink(each.mask, sample) for each in expected]
    np.testing.assert_array_equal(example.masks, masks)


def check_masks(example, annotations, sample, item_index):
    pairs = split_exchanges(example.conversation)
    usable = [each for each in annotations.objects if each.mask is not None and each.mask.any()]
    assert len(pairs) == len(example.names) == len(example.masks) == len(example.questions)
    assert len(pairs) == (1 if item_index is not None else min(3, len(usable))) or any(
        each.mask is not None and not each.mask.any() for each in annotations.objects
    )
    for number, (question, answer) in enumerate(pairs):
        prompt = question if number else question.removeprefix(WORDING.opening)
        assert prompt == example.questions[number]
        name = example.names[number]
        assert is_from(prompt, WORDING.segment_questions, "{class_name}", name.lower())
        assert answer in WORDING.segment_answers
        matches = [
            n.mask for n in annotations.objects if n.mask is not None and name in spell(n.name)
        ]
        assert any(np.array_equal(shrink(mask, sample), example.masks[number]) for mask in matches)
    if item_index is not None:
        assert example.names[0] in spell(annotations.objects[item_index].name)
        np.testing.assert_array_equal(
            example.masks[0], shrink(annotations.objects[item_index].mask, sample)
        )


def spell(name):
    """The ways in which the reference may write a name."""
    thing, _, part = (word.split("_(")[0] for word in name.strip().partition(":"))
    return {name.strip()} | ({f"{thing} {part}", f"the {part} of the {thing}"} if part else {thing})


def check_boxed(example, annotations, sample, item_index):
    alone = SOURCES[sample.key.partition("-")[0]].task == "expression"
    opening = WORDING.expression_opening if alone else WORDING.opening
    templates = WORDING.expression_questions if alone else WORDING.region_questions
    pairs = split_exchanges(example.conversation)
    usable = [each for each in annotations.objects if each.box is not None]
    assert len(pairs) == (1 if alone or item_index is not None else min(10, len(usable)))
    assert example.boxes.shape == (len(pairs), 4)
    for number, (question, answer) in enumerate(pairs):
        prompt = question if number else question.removeprefix(opening)
        assert prompt == example.questions[number]
        assert is_from(prompt, templates, "<region>", f"region{number + 1} <bbox>")
        assert answer == example.names[number]
        matches = [n.box for n in annotations.objects if n.name == answer and n.box is not None]
        assert any(np.allclose(box, example.boxes[number], rtol=0, atol=1e-4) for box in matches)
    if item_index is not None:
        assert example.names == (annotations.objects[item_index].name,)
        np.testing.assert_allclose(
            example.boxes[0], annotations.objects[item_index].box, rtol=0, atol=1e-4
        )


def check_sentence(example, annotations, sample, item_index):
    del sample
    (question, caption), *others = split_exchanges(example.conversation)
    number = annotations.captions.index(caption) if item_index is None else item_index
    assert annotations.captions[number] == caption
    count = len(others)
    every = "".join(f"region{n + 1} <bbox>," for n in range(count))
    prompt = question.removeprefix(WORDING.opening)
    assert example.questions == (prompt,)
    assert is_from(prompt, WORDING.group_questions, "<region>", every)
    assert example.boxes.shape == (2 * count, 4)
    np.testing.assert_array_equal(example.boxes[:count], example.boxes[count:])
    here = [n for n in annotations.objects if n.span and n.span[0] == number]
    assert count == min(10, len({tuple(each.box) for each in here}))
    for index, (question, answer) in enumerate(others):
        region = f"region{index + 1} <bbox>"
        assert is_from(question, WORDING.region_questions, "<region>", region)
        assert answer == example.names[index]
        matches = [each.box for each in here if each.name == answer]
        assert any(np.allclose(box, example.boxes[index], rtol=0, atol=1e-4) for box in matches)


def check_caption(example, annotations, sample, item_index):
    del sample
    ((question, answer),) = split_exchanges(example.conversation)
    assert question.removeprefix(WORDING.opening) in WORDING.caption_questions
    assert answer in [caption.strip() for caption in annotations.captions]
    assert example.names == (answer,)
    assert example.questions == ()
    if item_index is not None:
        assert answer == annotations.captions[item_index].strip()


def check_conversation(example, annotations, sample, item_index):
    del sample
    expected = []
    for turns in annotations.conversations:
        if turns[0][0] == "gpt":
            turns = turns[1:]  # noqa: PLW2901 - without a greeting
        texts = [
            f"<image>\n{text.replace('<image>', '').strip()}" if "<image>" in text else text
            for _, text in turns
        ]
        expected.append([[q, a] for q, a in zip(texts[::2], texts[1::2], strict=True)])
    exchanges = split_exchanges(example.conversation)
    assert exchanges in expected
    assert example.questions == example.names == (example.conversation,)
    if item_index is not None:
        assert exchanges == expected[item_index]


CHECKS = {
    "grounded": check_grounded,
    "referring": check_masks,
    "labels": check_masks,
    "parts": check_masks,
    "expression": check_boxed,
    "regions": check_boxed,
    "sentence": check_sentence,
    "caption": check_caption,
    "conversation": check_conversation,
}


@pytest.mark.parametrize("source", SOURCES)
def test_examples_equal_upstreams_annotations(miniature, converted, source):
    folder = converted / source / "train"
    (examples,) = examples_for(folder, SMALL)
    task = examples.effective_task
    annotations = READERS[source](miniature.root)
    count = 0
    for sample in read_split(folder):
        photo = annotations[sample.key.removeprefix(f"{source}-")]
        for seed, item_index in seeds_and_items(photo, ITEM_COLUMNS[task]):
            try:
                example = examples.example(sample, seed, item_index)
            except ExampleError as error:
                assert sample.key in str(error)  # noqa: PT017 - any item may raise it
                assert not is_possible(examples, photo, item_index)
                continue
            assert example.key == sample.key
            CHECKS[task](example, photo, sample, item_index)
            check_shapes(example, examples, sample)
            count += 1
    assert count


def seeds_and_items(
    photo: PhotoAnnotations, column: str | None
) -> Iterator[tuple[int, int | None]]:
    """Three seeds that draw, then every item of the photo."""
    yield from [(0, None), (1, None), (2, None)]
    counts = {
        "captions": len(photo.captions),
        "conversations": len(photo.conversations),
        "phrases": len(photo.objects),
        None: 0,
    }
    yield from ((3, item_index) for item_index in range(counts[column]))


def is_possible(examples: Examples, annotations: PhotoAnnotations, item_index: int | None) -> bool:
    """Whether upstream's annotations suffice for the example."""
    task = examples.effective_task
    if task in ("grounded", "sentence"):
        captions = [
            each.span[0]
            for each in annotations.objects
            if each.span and (each.mask if task == "grounded" else each.box) is not None
        ]
        return item_index in captions if item_index is not None else bool(captions)
    objects = (
        annotations.objects
        if item_index is None
        else annotations.objects[item_index : item_index + 1]
    )
    return any(each.mask is not None or each.box is not None for each in objects)


def check_shapes(example, examples, sample):
    size = sample.image.size
    assert example.clip.shape == (3, 28, 28)
    assert (example.boxes is None) == (examples.family != "reg")
    if examples.family != "seg":
        assert (example.sam, example.masks, example.labels, example.resized) == (None,) * 4
        return
    assert example.sam.shape == (3, 64, 64)
    assert example.masks.dtype == np.uint8
    assert example.masks.shape == (len(example.names), size.height, size.width)
    assert example.labels.shape == (size.height, size.width)
    assert example.conversation.count("[SEG]") == len(example.masks)
    assert max(example.resized) == 64
