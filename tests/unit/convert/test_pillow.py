"""Which Pillow is installed, in a Python that sees nothing but folders written here."""

import os
import pickle
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import convert.pillow
from convert.pillow import PillowClashError, instructions_in, live_pillow

ROOT = Path(convert.pillow.__file__).parents[1]
REPORT = """
from convert.pillow import live_pillow
try:
    print(live_pillow())
except Exception as error:
    print(type(error).__name__, error)
"""


def install(site: Path, *owners: str, extension: bytes = b"") -> None:
    (site / "PIL").mkdir(parents=True)
    (site / "PIL" / "__init__.py").touch()
    (site / "PIL" / f"_imaging{EXTENSION_SUFFIXES[0]}").write_bytes(extension)
    for owner in owners:
        name, version = owner.split("==")
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def report(*sites: Path) -> str:
    """The output of live_pillow if only these folders, and the project, can be imported."""
    path = os.pathsep.join(map(str, [*sites, ROOT]))
    # -S: no site-packages, so the real PIL is out of sight.
    ran = subprocess.run(
        [sys.executable, "-S", "-c", REPORT],
        env={**os.environ, "PYTHONPATH": path},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


@pytest.mark.parametrize(
    ("extension", "instructions"),
    [
        (b"\xc4\xe2\x7d\x00" * 40, "AVX2"),
        (b"\x66\x0f\x38\x00" * 231, "SSE4"),
        (b"\xc4\xe2\x7d\x00" * 3 + b"\x66\x0f\x38\x00" * 231, "SSE4"),
        (b"\x66\x0f\x38\x00" * 3, ""),
        (b"", ""),
    ],
)
def test_instructions_are_counted(extension: bytes, instructions: str) -> None:
    assert instructions_in(extension) == instructions


def test_the_live_one_is_described() -> None:
    pillow = live_pillow()
    assert pillow.distribution in {"pillow-simd", "pillow"}
    assert pillow.describe().startswith(f"{pillow.distribution} {pillow.version} (")


def test_the_owner_of_pil_is_named(tmp_path: Path) -> None:
    install(tmp_path / "simd", "pillow-simd==12.1", extension=b"\xc4\xe2\x7d" * 200)
    install(tmp_path / "stock", "Pillow==11.3.0")
    simd, stock = report(tmp_path / "simd"), report(tmp_path / "stock")
    assert simd == "Pillow(distribution='pillow-simd', version='12.1', instructions='AVX2')\n"
    assert stock == "Pillow(distribution='pillow', version='11.3.0', instructions='')\n"


def test_two_owners_are_a_clash_with_a_remedy(tmp_path: Path) -> None:
    install(tmp_path, "pillow-simd==12.1", "pillow==13.0")
    output = report(tmp_path)
    assert output.startswith("PillowClashError pillow-simd 12.1 and pillow 13.0 are both installed")
    assert "pip uninstall -y pillow pillow-simd" in output


def test_a_shadowed_pil_is_no_clash(tmp_path: Path) -> None:
    install(tmp_path / "ours", "pillow-simd==12.1")
    install(tmp_path / "system", "pillow==9.4.0")
    assert "'pillow-simd'" in report(tmp_path / "ours", tmp_path / "system")


def test_a_missing_pil_is_output(tmp_path: Path) -> None:
    install(tmp_path / "orphan")
    assert report(tmp_path).startswith("ConfigError PIL is missing or damaged")
    assert "belongs to neither" in report(tmp_path / "orphan")


def test_the_clash_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(PillowClashError("both")))
    assert type(error) is PillowClashError
    assert str(error) == "both"
