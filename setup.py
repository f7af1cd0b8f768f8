"""What `pyproject.toml` cannot say: the compiled modules, and configs that live outside a package.

Every compiled module is optional: one that does not build is left out. Without `_rle`, `_read`,
`_normalise` and `_jpeg_scan`, numpy and Python compute the same, more slowly. Without
`_jpeg_transcode`, progressive and gray photos are encoded anew, which loses a little quality.
"""

from pathlib import Path
from typing import Any

from setuptools import Extension, find_packages, setup


def compiled(name: str, **more: Any) -> Extension:
    """An optional module that is built from the one C file of its name."""
    return Extension(
        name,
        [f"{name.replace('.', '/')}.c"],
        optional=True,
        py_limited_api=True,
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        extra_compile_args=["-O3", "-fno-strict-aliasing", "-Wall", "-Wextra"],
        **more,
    )


_XXHASH = Path("third_party/xxhash")

setup(
    packages=[
        *find_packages(include=["convert*", "shards*"]),
        "convert.configs",
        "convert.configs.classes",
        "shards.mixes",
    ],
    package_dir={
        "convert.configs": "configs",
        "convert.configs.classes": "configs/classes",
        "shards.mixes": "configs/mixes",
    },
    package_data={"": ["py.typed", "*.pyi", "*.yaml", "*.json"]},
    exclude_package_data={"": ["*.c"]},
    ext_modules=[
        compiled("convert.image._jpeg_scan"),
        compiled("convert.image._jpeg_transcode", libraries=["jpeg"]),
        compiled("shards.glamm._normalise"),
        compiled(
            "shards.load.reading._read",
            include_dirs=[str(_XXHASH)],
            depends=[str(file) for file in sorted(_XXHASH.iterdir())],
        ),
        compiled("shards.rle._rle"),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
