"""`Examples` as a value: its arguments, the table of sources, other processes."""

import pickle
from typing import Any

import pytest
import yaml

from shards.errors import LoadError
from shards.glamm import EXPANDS, SOURCES, Examples, Settings
from shards.glamm.sources import FAMILIES, ITEM_COLUMNS
from shards.sample import LabelMap
from tests.conftest import REPOSITORY
from tests.unit.shards.glamm.samples import CLASSES, make_sample

WRONG: Any = "dance"


def test_the_table_has_every_source_of_the_config():
    config = yaml.safe_load((REPOSITORY / "configs/glamm.yaml").read_text())
    assert set(SOURCES) == set(config["sources"]) == set(EXPANDS)
    for rule in SOURCES.values():
        assert rule.expands in (None, ITEM_COLUMNS[rule.task])
    assert set(ITEM_COLUMNS) == set(FAMILIES)


def test_examples_can_be_sent_to_other_processes():
    examples = Examples("ade20k", Settings(max_classes=2), classes=CLASSES)
    received = pickle.loads(pickle.dumps(examples))
    sample = make_sample("ade20k", labels=LabelMap(b"", "any", (0, 3)))
    assert received == examples
    assert received.plan(sample, 4) == examples.plan(sample, 4)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Examples("nothing"), "no source 'nothing'; expected one of grandf_ha"),
        (lambda: Examples("nothing", task=WRONG), "no task 'dance'; expected one of grounded"),
        (lambda: Examples("ade20k"), r"needs classes; pass those of its classes\.json"),
        (
            lambda: Examples("refcoco", expand="regions"),
            "expand is 'regions'; the task 'referring' can be expanded over 'phrases' only",
        ),
        (
            lambda: Examples("ade20k", classes=CLASSES, expand="phrases"),
            "expand is 'phrases'; the task 'labels' can be expanded over nothing",
        ),
        (lambda: Settings(max_classes=0), "max_classes is 0"),
        (lambda: Settings(precision=WRONG), "precision is 'dance'"),
        (lambda: Settings(grounding=WRONG), "grounding is 'dance'"),
    ],
)
def test_invalid_arguments_are_refused(make, reason):
    with pytest.raises(LoadError, match=reason):
        make()


def test_a_task_other_than_the_usual_one():
    examples = Examples("grand_referring", task="regions")
    assert (examples.effective_task, examples.family) == ("regions", "reg")
