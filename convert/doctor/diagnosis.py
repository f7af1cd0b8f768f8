"""What the doctor says of a source."""

import msgspec


class Observation(msgspec.Struct, frozen=True):
    """Something about a source.

    Attributes:
        problem: whether the source is not ready because of it.
        remedy: a command to type in the data's root, or `get it:` and addresses.
    """

    problem: bool
    text: str
    remedy: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """What is known of a source.

    Attributes:
        state: ready, incomplete or absent.
        places: what it reads -> where that was found.
        photos: split -> photos its annotations name.
    """

    source: str
    state: str
    places: dict[str, str]
    photos: dict[str, int]
    findings: list[Observation]
