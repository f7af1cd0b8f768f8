import pytest

from convert.config.config import read_yaml
from convert.errors import ConfigError


def test_plain_data(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &x [1, 2]\nb: {c: *x}\n")
    assert read_yaml(path) == {"a": [1, 2], "b": {"c": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' is here twice"),
        ("s:\n  x: {k: 1, k: 1}\n", "'k' is here twice"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_mistakes(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_yaml(path)
