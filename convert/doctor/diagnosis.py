"""The doctor's results: a diagnosis of each source, with advice."""

import msgspec


class Advice(msgspec.Struct, frozen=True):
    """One thing to know about the files of a source, and what to do about it.

    Attributes:
        problem: whether the source is not ready because of it.
        text: a sentence that names the file or folder.
        remedy: a command to run in the data's root, or `get it:` and addresses; "" if none.
    """

    problem: bool
    text: str
    remedy: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """The state of one source.

    Attributes:
        source: name of the config entry.
        state: ready, incomplete or absent.
        paths: label of a need -> path at which it was found.
        photos: split -> number of photos in its annotations.
        findings: problems, and notes that need no action.
    """

    source: str
    state: str
    paths: dict[str, str]
    photos: dict[str, int]
    findings: list[Advice]
