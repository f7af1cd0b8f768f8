"""Errors cross from process to process as they are."""

import inspect
import pickle

import pytest

import convert.errors
import shards.errors

CLASSES = [
    cls
    for module in (convert.errors, shards.errors)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if cls.__module__ == module.__name__
]


def test_all_were_found() -> None:
    assert {"RecordError", "ConfigError", "MaskError"} < {cls.__name__ for cls in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickling(cls) -> None:
    error = pickle.loads(pickle.dumps(cls("what, where: expected, got")))
    assert type(error) is cls
    assert error.args == ("what, where: expected, got",)
    assert cls.__doc__


def test_bad_data_and_a_bad_run_are_told_apart() -> None:
    for cls in CLASSES:
        families = (
            convert.errors.RecordError,
            convert.errors.ConvertError,
            shards.errors.ShardError,
        )
        assert sum(issubclass(cls, family) for family in families) == 1
