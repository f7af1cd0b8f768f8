"""The checksum of files beside tars: against accidents, not against forgers."""

from pathlib import Path

from xxhash import xxh3_64, xxh3_64_hexdigest

_CHUNK = 1 << 22


def hash_bytes(content: bytes) -> str:
    """The xxh3 of a file's content, 16 hexadecimal digits."""
    return xxh3_64_hexdigest(content)


def hash_file(path: Path) -> str:
    """The same of a file that may be large."""
    found = xxh3_64()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
