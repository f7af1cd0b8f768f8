"""Queries on samples, answered from the index alone."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_TERM = re.compile(
    r"\s*(?P<column>[a-z_]+)\s*(?P<operator>=|!=|<=|>=|<|>|contains\b)\s*"
    r"(?P<value>-?\d{1,18}|'[^']*'|\"[^\"]*\")\s*(?P<more>and\b|$)"
)
_OPERATORS = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
"""Operator -> name of the function in pyarrow and numpy."""


def select(rows: pa.Table, query: str, classes: Mapping[int, str]) -> NDArray[np.int64]:
    """Numbers of the rows that match a query, in order: int64 [matches].

    Args:
        rows: of the sample index.
        query: such as `masks >= 3 and classes contains 'dog'`.
        classes: names of label ids: a label map has the classes that occur in it.

    Raises:
        ValueError: saying which part of the query is not valid.
    """
    matches = [_match(rows, *term, classes) for term in parse(query)]
    return np.flatnonzero(np.logical_and.reduce(matches))


def parse(query: str) -> list[tuple[str, str, int | str]]:
    """(column, operator, value) of each term.

    Raises:
        ValueError: saying which part of the query is not valid.

    >>> parse("masks >= 3 and classes contains 'dog'")
    [('masks', '>=', 3), ('classes', 'contains', 'dog')]
    """
    terms: list[tuple[str, str, int | str]] = []
    start, more = 0, "and"
    while more:
        term = _TERM.match(query, start)
        if term is None:
            raise ValueError(
                f"{query[start:]!r}: expected a column, one of {' '.join(_OPERATORS)} or "
                f"contains, and a number or a 'word'; terms are joined by `and`"
            )
        text = term["value"]
        value = text[1:-1] if text[0] in "'\"" else int(text)
        terms.append((term["column"], term["operator"], value))
        start, more = term.end(), term["more"]
    return terms


def _match(
    rows: pa.Table, column: str, operator: str, value: int | str, classes: Mapping[int, str]
) -> NDArray[np.bool_]:
    """Which rows match a term: bool [rows]."""
    if column not in rows.column_names:
        raise ValueError(f"no column {column!r}; there are {', '.join(rows.column_names)}")
    kind = rows.schema.field(column).type
    if operator != "contains":
        return _compare(rows, column, operator, value)
    if column == "classes" and isinstance(value, str):
        ids = [number for number, name in classes.items() if name == value]
        labelled = [_contains(rows, "label_classes", number) for number in ids]
        any_of: NDArray[np.bool_] = np.logical_or.reduce(
            [_contains(rows, "classes", value), *labelled]
        )
        return any_of
    if not pa.types.is_list(kind):
        raise ValueError(f"{column} holds {kind}, and so contains nothing")
    if isinstance(value, str) != pa.types.is_string(kind.value_type):
        raise ValueError(f"{column} holds {kind}, which contains no {value!r}")
    return _contains(rows, column, value)


def _compare(rows: pa.Table, column: str, operator: str, value: int | str) -> NDArray[np.bool_]:
    kind = rows.schema.field(column).type
    if pa.types.is_list(kind) or isinstance(value, str) != pa.types.is_string(kind):
        raise ValueError(f"{column} holds {kind}, which {operator} {value!r} does not fit")
    name = _OPERATORS[operator]
    compared: NDArray[np.bool_]
    if isinstance(value, str):
        compared = np.asarray(getattr(pc, name)(rows.column(column), value))
    else:  # pyarrow compares as int64, which a checksum does not fit
        compared = getattr(np, name)(np.asarray(rows.column(column)), value)
    return compared


def _contains(rows: pa.Table, column: str, value: int | str) -> NDArray[np.bool_]:
    """Whether the list of each row holds a value: bool [rows]."""
    matches = []
    for chunk in rows.column(column).chunks:
        counts = np.concatenate(([0], np.cumsum(np.asarray(pc.equal(chunk.values, value)))))
        ends = np.asarray(chunk.offsets)
        more: NDArray[np.bool_] = counts[ends[1:]] > counts[ends[:-1]]
        matches.append(more)
    joined: NDArray[np.bool_] = np.concatenate([np.zeros(0, bool), *matches])
    return joined
