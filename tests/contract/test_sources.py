"""The laws of `convert.sources.source.Source`, checked for every source of the shipped config."""

import pickle
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convert.config.config import default_config, load_config
from convert.demo import DRAWINGS
from convert.errors import RecordError
from convert.sources.annotation_files import AnnotationFiles
from convert.sources.annotations.registry import LAYOUTS
from convert.sources.files import DataRoot
from convert.sources.kinds import SOURCES
from convert.sources.source import missing_needs

CONFIG = load_config(default_config(), SOURCES)
REUSE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6, deadline=None
)


@pytest.fixture(params=sorted(CONFIG.sources))
def named(request, defective):
    """(name, source, root) of a miniature with the defects of real data."""
    assert request.param in DRAWINGS, "every source of the config has a drawing in convert/demo"
    return request.param, CONFIG.sources[request.param].source, DataRoot(defective.root)


def outcome(record_of, item):
    try:
        return record_of(item)
    except RecordError as error:
        return type(error), str(error)


def test_every_drawing_is_configured():
    assert set(DRAWINGS) == set(CONFIG.sources)


def test_every_kind_is_used():
    assert {type(entry.source) for entry in CONFIG.sources.values()} == set(SOURCES.values())


def test_every_layout_is_used():
    sources = [entry.source for entry in CONFIG.sources.values()]
    used = {source.layout for source in sources if isinstance(source, AnnotationFiles)}
    assert used == set(LAYOUTS)


def test_needs_are_met_by_the_miniature(named):
    _, source, root = named
    assert source.needs()
    assert missing_needs(source, root) == ()
    assert {need.split for need in source.needs()} - {None} <= set(source.splits)


def test_scan_is_stable(named):
    _, source, root = named
    assert list(source.scan(root)) == list(source.scan(root)) != []


def test_some_splits_are_those_of_the_whole(named):
    _, source, root = named
    items = list(source.scan(root))
    for wanted in ([], ["train"], [split for split in source.splits if split != "train"]):
        assert list(source.scan(root, wanted)) == [i for i in items if i.split in wanted]


def test_lists_of_ids_are_in_parallel_to_captions(named):
    """Filters that drop a caption rely on it."""
    _, source, root = named
    items = list(source.scan(root))
    with source.open(root) as record_of:
        for item in items:
            record = outcome(record_of, item)
            if not isinstance(record, tuple) and record.captions:
                lists = [ids for ids in record.ids.values() if isinstance(ids, tuple)]
                assert all(len(ids) == len(record.captions) for ids in lists)


def test_source_travels_to_workers(named):
    _, source, root = named
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert list(copy.scan(root)) == list(source.scan(root))


def test_ids_are_unique_and_fit_a_key(named):
    name, source, root = named
    items = list(source.scan(root))
    assert len({item.id for item in items}) == len(items)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,60}", item.id) for item in items)
    assert re.fullmatch(r"[a-z0-9_]+", name)
    assert {item.split for item in items} <= set(source.splits)


def test_items_are_small_and_hold_no_photo(named):
    _, source, root = named
    assert max(len(item.data) for item in source.scan(root)) < 200_000


@REUSE
@given(data=st.data())
def test_a_record_depends_on_its_item_alone(named, data):
    _, source, root = named
    items = list(source.scan(root))
    with source.open(root) as record_of:
        expected = [outcome(record_of, item) for item in items]
    order = data.draw(st.permutations(range(len(items))))
    with source.open(root) as record_of:
        for position in order:
            assert outcome(record_of, items[position]) == expected[position]


def test_a_record_names_only_paths_below_the_root(named):
    _, source, root = named
    items = list(source.scan(root))
    with source.open(root) as record_of:
        for item in items:
            record = outcome(record_of, item)
            if isinstance(record, tuple):
                continue
            assert record.photo
            assert not any(path.startswith(("/", "..")) for path in record.photo)
