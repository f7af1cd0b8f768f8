"""Read pickles of plain data, written by Python 2 or 3, from untrusted sources.

Unpickling can call anything that can be imported. Plain data does not need that: it consists of
opcodes for lists, dicts, strings, numbers, booleans and None.
"""

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from convert.errors import SourceLayoutError, UnsafePickleError

_ENCODINGS = ("ascii", "utf-8", "latin-1")
"""Encodings of Python 2's byte strings; the first that can decode the file is used."""
_MALFORMED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, MemoryError, BufferError, AssertionError, struct.error,
)  # fmt: skip
_BUFFERS = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)


def read_plain_pickle(data: bytes, where: str) -> object:
    """The data in a pickle. Tuples become lists.

    Args:
        data: the file.
        where: its name, for error messages.

    Raises:
        UnsafePickleError: if it holds anything but plain data; nothing is called.
        SourceLayoutError: if it is not a pickle.
    """
    for encoding in _ENCODINGS:
        try:
            return _PlainUnpickler(data, where, encoding).load()
        except UnicodeDecodeError:
            continue
        except _MALFORMED as error:
            raise SourceLayoutError(f"{where}: not a pickle of plain data: {error}") from error
    raise SourceLayoutError(f"{where}: not a pickle of plain data: text of no known encoding")


def _wrap(count: int) -> Callable[[Any], None]:
    """A handler that replaces the topmost `count` values of the stack by a list of them."""

    def load(unpickler: Any) -> None:
        if len(unpickler.stack) < count:
            raise pickle.UnpicklingError("not enough values for a tuple")
        unpickler.stack[-count:] = [unpickler.stack[-count:]]

    return load


class _PlainUnpickler(pickle._Unpickler):  # noqa: SLF001  # reason below
    """The standard library's unpickler in Python, restricted to plain data.

    Ten bytes of a file can make the unpickler in C allocate a memo of 64 GB; here the memo is a
    dict. It takes three times as long. Tuples become lists, which cannot be keys of a dict: hashing
    a deeply nested tuple overflows the stack. Byte arrays and buffers are not supported, because
    they are allocated before they are read.
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
            f"so this file is not one, or was tampered with; download it again"
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UnsafePickleError(f"{self._where}: asks for the persistent object {pid!r}")
