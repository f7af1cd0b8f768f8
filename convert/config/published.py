"""What is published of each source, for comparison with what is on disk."""

from pathlib import Path

import msgspec

from convert.config.config import read_yaml
from convert.errors import ConfigError

_PHOTOS = "(photos)"


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts about one source.

    Attributes:
        photos: split -> photos with annotations, where a number is known.
        get: where its files are from: addresses, each followed by what is there, in brackets.
        note: what people get wrong; told when something is.
    """

    photos: dict[str, int] = {}
    get: str = ""
    note: str = ""

    def fetch(self, *, photos: bool) -> str:
        """What to do to get the photos, or all that is not photos."""
        addresses = self.get.split(", ") if self.get else []
        fit = [a for a in addresses if a.endswith(_PHOTOS) == photos] or addresses
        return f"get it: {', '.join(fit)}" if fit else ""


def read_published(path: Path) -> dict[str, Published]:
    """Read `configs/published.yaml`: name of a source -> facts.

    Raises:
        ConfigError: if it is not of that form.
    """
    try:
        return msgspec.convert(read_yaml(path), dict[str, Published])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
