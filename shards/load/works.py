"""What samples are made into: left as bytes, or handed to a function one by one."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Generic, TypeVar

from shards.errors import ExampleError, LoadError
from shards.load.losses import DAMAGED
from shards.load.raw import Asked, RawBatch, RawSample
from shards.load.reader import Reader
from shards.sample import Sample

T = TypeVar("T")
B = TypeVar("B")
Example = Callable[[Sample, int, int | None], T]
"""(sample, seed, which) -> example. All chance comes from the seed. `which` numbers the caption,
phrase... that the sample is given for where it is expanded over them, and is None elsewhere."""

_DECODED = 8
"""A decoded photo takes about this many times the bytes of the coded one."""


class RawWork:
    """Samples as bytes."""

    def begin(self, asked: Asked) -> "_Raws":
        """Begin a batch."""
        return _Raws(asked)

    def cost(self, asked: Asked) -> int:
        """Bytes of the batch."""
        return asked.coded_bytes


class _Raws:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._pieces: list[RawBatch] = []

    def fill(self, raws: RawBatch, _reader: Reader) -> None:
        self._pieces.append(raws)

    def finish(self) -> RawBatch:
        if len(self._pieces) == 1:
            return self._pieces[0]
        pieces = sorted((piece for piece in self._pieces if piece), key=lambda p: p.places[0])
        data = [each for piece in pieces for each in piece.data]
        return RawBatch(self._asked, data, [at for piece in pieces for at in piece.places])


class ExampleWork(Generic[T, B]):
    """Every sample made into an example by a function, and these into a batch by another."""

    def __init__(
        self, example: Example[T] | Sequence[Example[T]], collate: Callable[[list[T]], B]
    ) -> None:
        """Remember the functions; threads call the first one, the caller's thread the second.

        Args:
            example: for all samples, or one for each dataset of a mixture.
            collate: of a batch's examples.
        """
        self._example, self._collate = example, collate

    def begin(self, asked: Asked) -> "_Examples[T, B]":
        """Begin a batch."""
        examples = self._example
        chosen = (
            [examples] * len(asked)
            if callable(examples)
            else [examples[part] for part in asked.parts.tolist()]
        )
        return _Examples(chosen, self._collate)

    def cost(self, asked: Asked) -> int:
        """Bytes of the batch, about."""
        return _DECODED * asked.coded_bytes


class _Examples(Generic[T, B]):
    def __init__(self, examples: Sequence[Example[T]], collate: Callable[[list[T]], B]) -> None:
        self._examples, self._collate = examples, collate
        self._made: list[tuple[T] | None] = [None] * len(examples)

    def fill(self, raws: RawBatch, reader: Reader) -> None:
        for place, raw in zip(raws.places, raws, strict=True):
            try:
                self._made[place] = self._make(self._examples[place], raw, reader)
            except DAMAGED as error:
                reader.losses.add(error, raw.part, raw.row)

    @staticmethod
    def _make(example: Example[T], raw: RawSample, reader: Reader) -> tuple[T] | None:
        """An example of this sample, or of another one, if it can make none."""
        given: RawSample | None = raw
        for tries in count():
            if given is None:
                return None
            try:
                return (example(given.sample(), given.seed, given.which),)
            except ExampleError as error:
                given = reader.another(given, error, tries)
        return None

    def finish(self) -> B:
        return self._collate(kept(self._made))


def kept(made: Sequence[tuple[T] | None]) -> list[T]:
    """What was made of those that were not skipped.

    Raises:
        LoadError: if all were.
    """
    found = [each[0] for each in made if each is not None]
    if not found:
        raise LoadError("every sample of the batch was skipped")
    return found
