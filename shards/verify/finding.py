"""What is wrong, where, and what to do."""

import msgspec

AGAIN = "convert the split again: python -m convert.run makes what is missing or damaged"
INDEX = "make it again: python -m shards.index OUT --format"


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written.

    Attributes:
        file: path, relative to the output.
        offset: byte in the file, where that is known.
        remedy: what to type.
    """

    file: str
    problem: str
    remedy: str = AGAIN
    offset: int | None = None
