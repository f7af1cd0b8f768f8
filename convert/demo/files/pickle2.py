"""Write pickles like Python 2, with protocol 0 (described in the standard library's `pickletools`).

Python 3 cannot write Python 2's byte strings, which RefCOCO's files use for text.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A `unicode` of Python 2. A plain `str` is written as Python 2's `str`, a byte string."""

    value: str


@dataclass(frozen=True, slots=True)
class Long:
    """A `long` of Python 2."""

    value: int


def dump(value: object) -> bytes:
    r"""A protocol-0 pickle of lists, dicts, strings and whole numbers, as Python 2's `pickle`.

    Repeated keys are references to the first, because Python 2 interns them.

    >>> import pickle
    >>> pickle.loads(dump([{"sent": Text("caf\u00e9"), "ann_id": Long(7), "split": "val"}]))
    [{'sent': 'café', 'ann_id': 7, 'split': 'val'}]
    """
    return b"".join(_Writer().opcodes(value)) + b"."


class _Writer:
    """Writes opcodes, and numbers the written values for later references."""

    def __init__(self) -> None:
        self._count = 0
        self._keys: dict[str, int] = {}

    def _put(self) -> bytes:
        self._count += 1
        return b"p%d\n" % (self._count - 1)

    def opcodes(self, value: object) -> Iterator[bytes]:
        match value:
            case int():
                yield b"I%d\n" % value
            case Long(number):
                yield b"L%dL\n" % number
            case str():
                # Both versions of Python escape bytes in the same way.
                yield b"S%s\n" % repr(value.encode("utf-8"))[1:].encode("ascii") + self._put()
            case Text(text):
                escaped = text.replace("\\", "\\u005c").replace("\n", "\\u000a")
                yield b"V%s\n" % escaped.encode("raw_unicode_escape") + self._put()
            case list():
                yield b"(l" + self._put()
                for item in value:
                    yield from self.opcodes(item)
                    yield b"a"
            case dict():
                yield b"(d" + self._put()
                for key, item in value.items():
                    yield from self._key(key)
                    yield from self.opcodes(item)
                    yield b"s"
            case _:
                raise TypeError(type(value))

    def _key(self, key: str) -> Iterator[bytes]:
        if key in self._keys:
            yield b"g%d\n" % self._keys[key]
            return
        self._keys[key] = self._count
        yield from self.opcodes(key)
