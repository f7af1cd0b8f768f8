"""Questions about samples, answered from the index alone."""

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
"""What pyarrow and numpy call them."""


def select(rows: pa.Table, question: str, classes: Mapping[int, str]) -> NDArray[np.int64]:
    """Numbers of the rows that a question is true of, in order: int64 [found].

    Args:
        rows: of our own index.
        question: `masks >= 3 and classes contains 'dog'`.
        classes: names of label ids: a label map is of the classes that occur in it.

    Raises:
        ValueError: saying what is not understood.
    """
    answers = [_answer(rows, *term, classes) for term in parse(question)]
    true = np.logical_and.reduce(answers)
    return np.flatnonzero(true)


def parse(question: str) -> list[tuple[str, str, int | str]]:
    """(column, operator, value) of each term.

    >>> parse("masks >= 3 and classes contains 'dog'")
    [('masks', '>=', 3), ('classes', 'contains', 'dog')]
    """
    terms: list[tuple[str, str, int | str]] = []
    place, more = 0, "and"
    while more:
        found = _TERM.match(question, place)
        if found is None:
            raise ValueError(
                f"{question[place:]!r}: expected a column, one of {' '.join(_OPERATORS)} or "
                f"contains, and a number or a 'word'; terms are joined by `and`"
            )
        value = found["value"]
        terms.append(
            (
                found["column"],
                found["operator"],
                value[1:-1] if value[0] in "'\"" else int(value),
            )
        )
        place, more = found.end(), found["more"]
    return terms


def _answer(
    rows: pa.Table, column: str, operator_: str, value: int | str, classes: Mapping[int, str]
) -> NDArray[np.bool_]:
    if column not in rows.column_names:
        raise ValueError(f"no column {column!r}; there are {', '.join(rows.column_names)}")
    kind = rows.schema.field(column).type
    if operator_ != "contains":
        if pa.types.is_list(kind) or isinstance(value, str) != pa.types.is_string(kind):
            raise ValueError(f"{column} holds {kind}, which {operator_} {value!r} does not fit")
        compared: NDArray[np.bool_]
        if isinstance(value, str):
            compared = np.asarray(getattr(pc, _OPERATORS[operator_])(rows.column(column), value))
        else:  # pyarrow compares as int64, which a checksum does not fit
            compared = getattr(np, _OPERATORS[operator_])(np.asarray(rows.column(column)), value)
        return compared
    if column == "classes" and isinstance(value, str):
        ids = [number for number, name in classes.items() if name == value]
        found = [_contains(rows, "label_classes", number) for number in ids]
        any_of: NDArray[np.bool_] = np.logical_or.reduce(
            [_contains(rows, "classes", value), *found]
        )
        return any_of
    if not pa.types.is_list(kind):
        raise ValueError(f"{column} holds {kind}, and so contains nothing")
    if isinstance(value, str) != pa.types.is_string(kind.value_type):
        raise ValueError(f"{column} holds {kind}, which contains no {value!r}")
    return _contains(rows, column, value)


def _contains(rows: pa.Table, column: str, value: int | str) -> NDArray[np.bool_]:
    """Whether the list of each row holds a value: bool [rows]."""
    answers = []
    for chunk in rows.column(column).chunks:
        hits = np.concatenate(([0], np.cumsum(np.asarray(pc.equal(chunk.values, value)))))
        ends = np.asarray(chunk.offsets)
        more: NDArray[np.bool_] = hits[ends[1:]] > hits[ends[:-1]]
        answers.append(more)
    found: NDArray[np.bool_] = np.concatenate([np.zeros(0, bool), *answers])
    return found
