"""Published facts about each source, to compare with the files on disk."""

from pathlib import Path

import msgspec

from convert.config.config import read_yaml
from convert.errors import ConfigError

_PHOTOS = "(photos)"


class Published(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"addresses": "get"}
):
    """Facts about one source.

    Attributes:
        photos: split -> number of photos with annotations, where it is published.
        addresses: where to download its files, each followed by its content in brackets.
        note: a common mistake; the doctor prints it with the first problem.
    """

    photos: dict[str, int] = {}
    addresses: str = ""
    note: str = ""

    def download_hint(self, *, photos: bool) -> str:
        """The addresses of the photos, or of everything else, as a remedy; "" if unknown."""
        addresses = self.addresses.split(", ") if self.addresses else []
        matching = [a for a in addresses if a.endswith(_PHOTOS) == photos] or addresses
        return f"get it: {', '.join(matching)}" if matching else ""


def read_published(path: Path) -> dict[str, Published]:
    """The facts in `configs/published.yaml`, by name of the source.

    Raises:
        ConfigError: if the file does not have that form.
    """
    try:
        return msgspec.convert(read_yaml(path), dict[str, Published])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
