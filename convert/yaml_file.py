"""YAML files of plain data, in which no key says two things."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from convert.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """The data in a file.

    Raises:
        ConfigError: if it cannot be read, is not YAML, or has a key twice in one mapping.
    """
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a config file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error


class _UniqueKeys(yaml.SafeLoader):
    """YAML itself lets the later of two equal keys win, unsaid."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the base's signature
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands here twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
