"""The config reader: values, defaults, and every mistake, reported all at once."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from convert.config.config import Config, SourceOptions, default_config, load_config
from convert.errors import ConfigError
from convert.image.policy import ImagePolicy
from convert.plan import PlanPolicy
from convert.record import LabelTable
from convert.sample.filters import Filters
from convert.sources.kinds import SOURCES
from shards.index.croissant import CROISSANT
from shards.index.dali import DALI
from shards.index.huggingface import HUGGING_FACE


@dataclass(frozen=True, slots=True)
class Stub:
    """The fields of a source, without the source."""

    photos: dict[str, tuple[str, ...]]
    depth: int = 1
    names: tuple[str, ...] = field(default=("a",))
    splits: tuple[str, ...] = ("train",)


@dataclass(frozen=True, slots=True)
class Tabled:
    """The same, for one with a table of classes."""

    table: LabelTable
    splits: tuple[str, ...] = ("train",)


KINDS: Any = {"stub": Stub, "tabled": Tabled}
STUB = {"kind": "stub", "photos": {"train": ["x", "y"]}}


def load(tmp_path: Path, values: Any) -> Config:
    path = tmp_path / "c.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return load_config(path, KINDS)


def mistakes(tmp_path: Path, values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, values)
    return str(caught.value).splitlines()


def test_the_shipped_config() -> None:
    config = load_config(default_config(), SOURCES)
    assert {"grandf_ha", "ade20k", "refcoco", "coco_captions"} <= set(config.sources)
    assert {e.options.image for e in config.sources.values()} == {ImagePolicy()}
    assert config.index_formats() == (DALI, HUGGING_FACE, CROISSANT)
    for name, entry in config.sources.items():
        assert entry.source.splits
        assert entry.source.needs()
        assert config.plan_policy(name, 7).limit == 7
        assert load_config(default_config(), SOURCES).sources[name] == entry


def test_defaults_live_in_the_dataclasses(tmp_path) -> None:
    config = load(tmp_path, {"sources": {"a": STUB}})
    assert (config.indexes, config.seed) == (("dali",), 0)
    assert config.sources["a"].options == SourceOptions()
    found: Any = config.sources["a"].source
    assert found == Stub({"train": ("x", "y")})
    assert config.plan_policy("a", None) == PlanPolicy()


def test_an_entry_overrides_the_file_and_the_file_the_defaults(tmp_path) -> None:
    values = {
        "seed": 3, "items_per_shard": 5, "order": "source", "max_rejected": 1, "indexes": [],
        "image": {"longest_side": 512, "subsampling": "4:4:4"},
        "filters": {"shortest_side": 7},
        "sources": {
            "a": STUB,
            "b": {
                **STUB, "items_per_shard": 6, "depth": 2, "image": {"quality": 80},
                "filters": {"ignored": True},
            },
        },
    }  # fmt: skip
    config = load(tmp_path, values)
    assert list(config.sources) == ["a", "b"]
    assert config.plan_policy("a", None) == PlanPolicy(5, "source", 3)
    assert config.plan_policy("b", 9) == PlanPolicy(6, "source", 3, 9)
    assert config.sources["b"].options.max_rejected == 1
    a, b = (config.sources[name].options for name in "ab")
    assert a.image == ImagePolicy(longest_side=512, subsampling="4:4:4")
    assert b.image == ImagePolicy(longest_side=512, subsampling="4:4:4", quality=80)
    assert (a.filters, b.filters) == (Filters(7), Filters(7, ignored=True))
    assert config.index_formats() == ()
    found: Any = config.sources["b"].source
    assert found == Stub({"train": ("x", "y")}, depth=2)


def _with(**changes: Any) -> dict[str, Any]:
    return {"sources": {"a": STUB}, **changes}


def _entry(**changes: Any) -> dict[str, Any]:
    return {"sources": {"a": {**STUB, **changes}}}


MISTAKES: dict[str, tuple[Any, str]] = {
    "unknown key": (_with(sead=1), r"c\.yaml: unknown key 'sead'; known are .*'seed'"),
    "a number as a key": ({**_with(), 5: 1}, "unknown key 5"),
    "unknown key of images": (
        _with(image={"side": 1}),
        "image: unknown key 'side'; known are .*longest_side",
    ),
    "unknown key of a source": (
        _entry(foto=1),
        "sources.a: unknown key 'foto'; known are .*photos",
    ),
    "missing key of a source": (
        {"sources": {"a": {"kind": "stub"}}},
        "sources.a: missing key 'photos'",
    ),
    "unknown kind": (
        _entry(kind="stab"),
        r"sources.a: expected a mapping with `kind`, one of .*'stub'",
    ),
    "no kind": ({"sources": {"a": {"photos": {}}}}, "sources.a: expected a mapping with `kind`"),
    "a kind that is a list": (_entry(kind=["stub"]), "sources.a: expected a mapping with `kind`"),
    "an entry that is a list": ({"sources": {"a": [1]}}, "sources.a: expected a mapping"),
    "an entry that is nothing": ({"sources": {"a": None}}, "sources.a: expected a mapping"),
    "text for a number": (_with(seed="x"), "seed: Expected `int`, got `str`.*got 'x'"),
    "text in a source": (_entry(depth="x"), "sources.a: depth: Expected `int`"),
    "text for a list": (_entry(photos={"train": "x"}), "sources.a: photos: Expected `array`"),
    "a list for a mapping": (_entry(photos=["x"]), "sources.a: photos: Expected `object`"),
    "images that are a number": (_with(image=5), "image: Expected `object`.*got 5"),
    "images that are a list": (_with(image=["x"]), "image: Expected `object`"),
    "unknown filter": (_with(filters={"caption": 3}), "filters: .*`caption`"),
    "a filter below 0": (_entry(filters={"box_side": -1}), "sources.a: filters: .*>= 0"),
    "unknown index": (_with(indexes=["dalli"]), "indexes: .*dalli.*'dali'"),
    "an index that is text": (_with(indexes="dali"), "indexes"),
    "an index that is a number": (_with(indexes=5), "indexes"),
    "an index that is nothing": (_with(indexes=None), "indexes"),
    "an index in a list": (_with(indexes=[["dali"]]), "indexes"),
    "quality of 0": (_with(image={"quality": 0}), "image: quality: .*>= 1"),
    "quality of 101": (_with(image={"quality": 101}), "image: quality: .*<= 100"),
    "odd subsampling": (_with(image={"subsampling": "4:1:1"}), "image: subsampling"),
    "YAML's sexagesimal subsampling": (
        "image: {subsampling: 4:2:0}\nsources: {}",
        "image: subsampling",
    ),
    "a tiny side": (_with(image={"longest_side": 15}), "image: longest_side: .*>= 16"),
    "an empty shard": (_with(items_per_shard=0), "items_per_shard: .*>= 1"),
    "more than everything": (_entry(max_rejected=1.1), "sources.a: max_rejected: .*<= 1"),
    "unknown order": (_entry(order="random"), "sources.a: order"),
    "no such table": (
        {"sources": {"a": {"kind": "tabled", "table": "absent"}}},
        "sources.a: table: no table .*absent.json",
    ),
    "a name that makes a bad key": ({"sources": {"RefCOCO": STUB}}, "sources.RefCOCO: .*name"),
    "a name that leaves the output": ({"sources": {"../x": STUB}}, "sources.../x: .*name"),
    "a name with a dot": ({"sources": {"a.b": STUB}}, "sources.a.b: .*name"),
    "a name too long for a key": ({"sources": {"a" * 40: STUB}}, "name"),
    "a number as a name": ({"sources": {5: STUB}}, "sources.5: .*name"),
}


@pytest.mark.parametrize(("values", "message"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_reported_with_its_key(tmp_path, values, message) -> None:
    found = mistakes(tmp_path, values)
    assert len(found) == 1, found
    assert re.search(message, found[0]), found
    assert found[0].startswith(str(tmp_path / "c.yaml"))


def test_several_mistakes_are_reported_at_once(tmp_path) -> None:
    values = {
        "sead": 1, "indexes": ["dalli"], "image": {"quality": 0, "side": 1},
        "sources": {"a": {**STUB, "foto": 1, "depth": "x"}, "b": {"kind": "stub"}, "c": 5},
    }  # fmt: skip
    found = "\n".join(mistakes(tmp_path, values))
    for message in ("sead", "dalli", "quality", "side", "foto", "depth", "photos", "sources.c"):
        assert message in found
    assert len(found.splitlines()) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected keys and values, `sources` among them"),
        ("[]", "expected keys and values"),
        ("5", "expected keys and values"),
        ("sources: 5", "expected keys and values"),
        ("sources:", "expected keys and values"),
        ("seed: 1", "expected keys and values"),
        ("sources: {a: [}", "not YAML"),
        ("\0", "not YAML"),
        ("a: !!python/object/apply:os.system [true]", "not YAML"),
    ],
)
def test_files_that_are_not_configs(tmp_path, text, message) -> None:
    (found, *_) = mistakes(tmp_path, text)
    assert message in found
    assert found.startswith(str(tmp_path / "c.yaml"))


def test_files_that_cannot_be_read(tmp_path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"sources: {a: \xff}")
    for name in ("absent.yaml", ".", "latin.yaml"):
        with pytest.raises(ConfigError):
            load_config(tmp_path / name, KINDS)


def test_a_config_is_a_value(tmp_path) -> None:
    assert load(tmp_path, _with()) == load(tmp_path, _with())
    with pytest.raises(AttributeError):
        load(tmp_path, _with()).seed = 1  # type: ignore[misc]
