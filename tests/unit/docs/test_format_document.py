"""docs/format.md lists all fields, columns and records, in the order of the code."""

import ast
import re

import msgspec
import pytest

from shards.index.samples import SCHEMA
from shards.layout import decode_annotations, to_members
from shards.manifest import EvalOverlap, Manifest, ShardInfo, Tally
from shards.sample import Box, LabelMap, Region, Span, Turn
from tests.conftest import REPOSITORY
from tests.unit.shards.test_sample import SIZE, make, mask

TEXT = (REPOSITORY / "docs/format.md").read_text()
SECTIONS = {
    part.partition("\n")[0]: part for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
}
FULL = make(
    captions=("ab",),
    regions=(Region(box=Box(0.0, 0.0, 5.0, 3.0), mask=mask(3, 5), spans=(Span(0, 0, 2),)),),
    conversations=((Turn("human", "what?"),),),
    labels=LabelMap(b"", "ade20k", (1,)),
)


def tables(section):
    """First and second cells of the rows of each table: names in backticks, and the type."""
    for table in re.findall(r"(?:^\|.*\n)+", SECTIONS[section], re.MULTILINE):
        rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]
        yield [(name, kind) for names, kind in rows for name in re.findall(r"`([^`]+)`", names)]


@pytest.fixture
def annotations():
    return msgspec.msgpack.decode(dict(to_members(FULL))["mp"])


@pytest.fixture
def example():
    [code] = re.findall(r"```python\n(.*?)```", SECTIONS["The annotations"], re.DOTALL)
    return ast.literal_eval(code)


def test_every_field_has_a_row(annotations):
    fields, of_a_region = tables("The annotations")
    assert [name for name, _ in fields] == list(annotations)
    assert [name for name, _ in of_a_region] == list(annotations["regions"][0])


def test_the_example_is_of_the_format(example, annotations):
    assert list(example) == list(annotations)
    [region] = example["regions"]
    [ours] = annotations["regions"]
    assert list(region) == list(ours)
    assert region["mask"].keys() == ours["mask"].keys()
    assert region["spans"][0].keys() == ours["spans"][0].keys()
    decoded = decode_annotations("a-1", msgspec.msgpack.encode(example))
    [span] = decoded.regions[0].spans
    assert decoded.captions[span.caption][span.start : span.stop] == decoded.regions[0].phrases[0]


def test_kinds_of_values(annotations):
    """Types that a program without our code gets from msgpack."""
    assert annotations["size"] == [SIZE.height, SIZE.width]
    assert annotations["regions"][0]["box"] == [0.0, 0.0, 5.0, 3.0]
    assert all(isinstance(corner, float) for corner in annotations["regions"][0]["box"])
    assert isinstance(annotations["regions"][0]["mask"]["counts"], bytes)
    assert annotations["conversations"] == [[{"speaker": "human", "text": "what?"}]]


def test_every_column_has_a_row():
    [columns] = [table for table in tables("The records") if table[0][0] == "key"]
    assert [name for name, _ in columns] == SCHEMA.names
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|", SECTIONS["The records"], re.MULTILINE)
    for names, kinds in rows:
        listed = re.findall(r"`([^`]+)`", names)
        each = kinds.split(", ")
        types = each if len(each) == len(listed) else each * len(listed)
        for name, kind in zip(listed, types, strict=True):
            field = SCHEMA.field(name).type
            expected = f"list of {field.value_type}" if kind.startswith("list") else str(field)
            assert kind == expected, name


@pytest.mark.parametrize("record", [Manifest, ShardInfo, Tally, EvalOverlap])
def test_every_field_of_a_record_is_named(record):
    for field in msgspec.structs.fields(record):
        assert f"`{field.name}`" in SECTIONS["The records"], field.name
