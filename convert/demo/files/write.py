"""Write files, with their folders."""

import json
from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Write a JSON file; its folder is created if needed."""
    write_bytes(path, json.dumps(value).encode("ascii"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; its folder is created if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
