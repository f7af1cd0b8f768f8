"""What `pyproject.toml` cannot say: the compiled modules, and configs that live outside a package.

A compiled module that does not build is left out. Without a `_native` the same is computed by
numpy, or read sample by sample; without `_transcode` progressive and gray photos are encoded anew,
which loses a little; without `_scan` numpy looks for the end of a scan.
"""

from setuptools import Extension, find_packages, setup

_ABI = {"py_limited_api": True, "define_macros": [("Py_LIMITED_API", "0x030B0000")]}
_FLAGS = ["-O3", "-fno-strict-aliasing", "-Wall", "-Wextra"]

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
    ext_modules=[
        Extension("shards.rle._rle", ["shards/rle/_rle.c"], optional=True,
                  extra_compile_args=_FLAGS, **_ABI),
        Extension("shards.load.reading._read", ["shards/load/reading/_read.c"], optional=True,
                  extra_compile_args=_FLAGS, **_ABI),
        Extension("shards.glamm._normalise", ["shards/glamm/_normalise.c"], optional=True,
                  extra_compile_args=_FLAGS, **_ABI),
        Extension("convert.image._jpeg_scan", ["convert/image/_jpeg_scan.c"], optional=True,
                  extra_compile_args=_FLAGS, **_ABI),
        Extension("convert.image._jpeg_transcode", ["convert/image/_jpeg_transcode.c"],
                  optional=True, extra_compile_args=_FLAGS, libraries=["jpeg"], **_ABI),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)  # fmt: skip
