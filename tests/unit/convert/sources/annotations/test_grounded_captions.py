"""GranD-f's groundings: phrases, spans and masks as they occur, and what is none."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.errors import RecordError
from convert.sources.annotations.grounded_captions import Grounding, parse_groundings, strip_caption
from shards.sample import Rle, Size
from tests.unit.convert.sources.annotations.test_coco import values

MASK = {"size": [2, 3], "counts": "06"}
RLE = Rle(Size(2, 3), b"06")


def parse(text: str) -> tuple[Grounding, ...]:
    return parse_groundings(text.encode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, ()),
        ({"a mug": None}, (Grounding("a mug", None, ()),)),
        ({"a mug": {}}, (Grounding("a mug", None, ()),)),
        ({"a": {"token_positives": [2, 5]}}, (Grounding("a", (2, 5), ()),)),
        ({"a": {"token_positives": None, "rle_masks": None}}, (Grounding("a", None, ()),)),
        ({"a": {"rle_masks": [MASK, MASK], "else": 1}}, (Grounding("a", None, (RLE, RLE)),)),
        (
            {"a": {"rle_masks": []}, "é🙂": None},
            (Grounding("a", None, ()), Grounding("é🙂", None, ())),
        ),
    ],
)
def test_forms(value, expected) -> None:
    assert parse(json.dumps(value)) == expected
    assert parse(json.dumps(value, ensure_ascii=False)) == expected


def test_a_phrase_that_stands_twice_counts_twice() -> None:
    found = parse('{"a": {"token_positives": [0, 1]}, "b": null, "a": {"token_positives": [2, 3]}}')
    assert [(g.phrase, g.span) for g in found] == [("a", (0, 1)), ("b", None), ("a", (2, 3))]


GARBAGE = [
    "", "{", "null", "5", '"a"', "[]", '[["a", null]]', "NaN", '{"a": 5}', '{"a": []}',
    '{"a": "b"}', '{"a": [["token_positives", [1, 2]]]}',
    *(f'{{"a": {{"token_positives": {value}}}}}' for value in (
        "5", "[]", "[1]", "[1, 2, 3]", "[1, 2.5]", "[1, NaN]", "[1, Infinity]", '["1", "2"]',
        "[[1, 2]]", '"12"', "{}", "[null, 1]", "true", '{"1": 2}', f"[1, {'9' * 5000}]",
        *("[" * depth + "]" * depth for depth in range(800, 1000, 3)),
    )),
    *(f'{{"a": {{"rle_masks": {value}}}}}' for value in (
        "5", "true", '"ab"', "[5]", "[null]", "[[1, 2]]", '["ab"]', "[[[1, 2]]]", '{"a": 1}',
        "[{}]", '[{"size": [2, 3]}]', '[{"size": [2, 3], "counts": null}]',
        '[{"size": 1, "counts": ""}]', '[{"size": {"a": 1, "b": 2}, "counts": "6"}]',
        '[{"size": [2, 3], "counts": {"a": 1}}]', '[{"size": [2, NaN], "counts": "6"}]',
        '[{"size": [2, Infinity], "counts": "6"}]', '{"size": [2, 3], "counts": "06"}',
    )),
    '{"a": ' * 100_000,
    f'{{"a": {"[" * 100_000 + "]" * 100_000}}}',
]  # fmt: skip


def test_garbage_is_bad_data() -> None:
    for text in GARBAGE:
        try:
            parse(text)
        except RecordError:
            continue
        pytest.fail(text[:80])


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.text(max_size=3),
        st.none()
        | st.fixed_dictionaries({}, optional={"token_positives": values, "rle_masks": values})
        | values,
    )
)
def test_any_json_is_groundings_or_bad_data(value) -> None:
    try:
        parse(json.dumps(value))
    except RecordError:
        return


@given(st.binary(max_size=50))
def test_any_bytes_are_groundings_or_bad_data(raw) -> None:
    try:
        parse_groundings(raw)
    except RecordError:
        return


def test_half_a_surrogate_pair_does_not_reach_a_shard() -> None:
    r"""JSON may spell `\ud83d` alone; UTF-8, and so a shard, cannot hold it."""
    try:
        found = parse(r'{"a \ud83d": null}')
    except RecordError:
        return
    msgspec.msgpack.encode([grounding.phrase for grounding in found])


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ('"A mug."', "A mug."),
        ('""A "red" mug. ""', 'A "red" mug.'),
        ("  A mug. ", "A mug."),
        ('A "mug"', 'A "mug'),
        ('""', ""),
        ("", ""),
    ],
)
def test_quotes_around_captions(caption, expected) -> None:
    assert strip_caption(caption) == expected
