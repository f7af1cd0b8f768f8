"""Pickles of plain data, written by Python 2 or 3, from people one does not know.

Unpickling can call anything that can be imported. Data needs none of that: it is made of opcodes
for lists, dicts, strings, numbers, booleans and None.
"""

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from convert.errors import SourceLayoutError, UnsafePickleError

_ENCODINGS = ("ascii", "utf-8", "latin-1")
"""Of Python 2's byte strings, in this order: the first that fits is the one they were written in.
"""
_BROKEN = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, MemoryError, BufferError, AssertionError, struct.error,
)  # fmt: skip
_BUFFERS = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)


def read_plain_pickle(data: bytes, where: str) -> object:
    """The data in a pickle; tuples are lists.

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


def _wrap(count: int) -> Callable[[Any], None]:
    """Put the topmost values into one list."""

    def load(unpickler: Any) -> None:
        if len(unpickler.stack) < count:
            raise pickle.UnpicklingError("not enough values for a tuple")
        unpickler.stack[-count:] = [unpickler.stack[-count:]]

    return load


class _PlainUnpickler(pickle._Unpickler):  # noqa: SLF001  # reason below
    """The standard library's own in Python: it takes three times as long as the one in C.

    Ten bytes of a file can make the one in C allocate a memo of 64 GB; here it is a dict. Tuples
    become lists, which are no keys: hashing a deep tuple overflows the program's stack. Byte
    arrays and buffers, which are allocated before they are read, are not known here.
    """

    dispatch: ClassVar = {
        **{
            code: load
            for code, load in pickle._Unpickler.dispatch.items()  # noqa: SLF001
            if bytes([code]) not in _BUFFERS
        },
        pickle.EMPTY_TUPLE[0]: pickle._Unpickler.dispatch[pickle.EMPTY_LIST[0]],  # noqa: SLF001
        pickle.TUPLE[0]: pickle._Unpickler.dispatch[pickle.LIST[0]],  # noqa: SLF001
        pickle.TUPLE1[0]: _wrap(1),
        pickle.TUPLE2[0]: _wrap(2),
        pickle.TUPLE3[0]: _wrap(3),
    }

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
