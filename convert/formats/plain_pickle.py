"""Pickles of plain data, written by Python 2 or 3, from people one does not know.

Unpickling can call anything that can be imported. Data needs none of that: it is made of opcodes
for lists, dicts, strings, numbers, booleans and None.
"""

import io
import pickle
from typing import Any, NoReturn

from convert.errors import SourceLayoutError, UnsafePickleError

_ENCODINGS = ("ascii", "utf-8", "latin-1")
"""Of Python 2's byte strings, in this order: the first that fits is the one they were written in.
"""
_BROKEN = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, MemoryError,
)  # fmt: skip


def read_plain_pickle(data: bytes, where: str) -> object:
    """The data in a pickle.

    Args:
        data: the file.
        where: its name, for errors.

    Raises:
        UnsafePickleError: if it asks for anything but plain data; nothing has been called.
        SourceLayoutError: if it is not a pickle.
    """
    for encoding in _ENCODINGS:
        try:
            return _PlainUnpickler(data, where, encoding).load()
        except UnicodeDecodeError:
            continue
        except _BROKEN as error:
            raise SourceLayoutError(f"{where}: not a pickle of plain data: {error}") from error
    raise SourceLayoutError(f"{where}: not a pickle of plain data: text of no known encoding")


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, where: str, encoding: str) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self._where = where

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise UnsafePickleError(
            f"{self._where}: asks for {module_name}.{global_name}; annotations hold plain data, "
            f"so this file was tampered with or is something else"
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UnsafePickleError(f"{self._where}: asks for the persistent object {pid!r}")
