"""GLaMM's training data as WebDataset shards: read, look up, load, draw, check and write them.

Read all samples of a split in stored order::

    for sample in read_split(Path("OUT/refcoco/train")):
        photo = decode_photo(sample)            # uint8 [height, width, 3]
        for region in sample.regions:           # region.phrases, .box, .mask, .spans
            ...

Look samples up by number or by a query, without reading the others::

    with SampleIndex("OUT/refcoco/train") as index:
        sample = index[42]
        numbers = index.where("masks >= 3 and classes contains 'dog'")

Load batches in shuffled order, on any number of ranks, and resume exactly::

    loader = Loader("OUT/refcoco/train", batch_size=32, masks=all_masks, seed=7)
    for batch in loader:                        # a PixelBatch
        ...
    state = loader.state_dict()

    shards ---> read ---> decode ---> buffer ---> collate ---> for batch in loader
                |_ threads, each _|   up to       |_ the thread that iterates
                   with its own       `prefetch`
                   batch              batches

`Mixture` draws from several splits by weight. `shards.load.torch` has the loader for PyTorch, with
tensors and GPU decoding; `shards.glamm` has GLaMM's training examples.

Draw samples with `python -m shards.view OUT/refcoco/train`. Check a whole output with
`python -m shards.verify OUT`, or::

    for finding in verify_output(Path("OUT")):
        print(finding.file, finding.problem, finding.remedy)

Write a shard: all of it or nothing::

    with ShardWriter(Path("OUT/demo/train"), "demo-train-000000") as writer:
        writer.add(Sample("demo-1", EncodedImage(jpeg, "jpg", Size(480, 640)), Size(480, 640)))
        writer.commit(task="", tally=Tally(items=1))

Names are imported on first use: `import shards` itself loads no other library.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # type checkers do not see `__getattr__`; keep in step with `_MODULES`
    from shards.errors import (
        CorruptShardError,
        DecodeError,
        ExampleError,
        LoadError,
        MaskError,
        MissingExtraError,
        SampleError,
        ShardError,
    )
    from shards.layout import read_shard, read_split
    from shards.load.batches import LoaderOptions
    from shards.load.loader import Loader
    from shards.load.mixture import Mixture, MixtureDataset
    from shards.load.reading.batch import RawBatch, RawSample
    from shards.load.reading.index import SampleIndex
    from shards.load.reading.split import Selection, Split
    from shards.load.transforms import PixelBatch, Pixels, all_masks, no_masks
    from shards.manifest import Tally
    from shards.pixels import decode_labels, decode_mask, decode_photo, encode_mask, paint_masks
    from shards.sample import (
        Box,
        EncodedImage,
        LabelMap,
        Region,
        Rle,
        Sample,
        Size,
        Span,
        Turn,
    )
    from shards.verify.finding import Finding
    from shards.verify.output import verify_output
    from shards.writer import ShardWriter

    __version__: str

_MODULES = {
    "errors": "CorruptShardError DecodeError ExampleError LoadError MaskError MissingExtraError "
    "SampleError ShardError",
    "layout": "read_shard read_split",
    "load.batches": "LoaderOptions",
    "load.loader": "Loader",
    "load.mixture": "Mixture MixtureDataset",
    "load.reading.batch": "RawBatch RawSample",
    "load.reading.index": "SampleIndex",
    "load.reading.split": "Selection Split",
    "load.transforms": "PixelBatch Pixels all_masks no_masks",
    "manifest": "Tally",
    "pixels": "decode_labels decode_mask decode_photo encode_mask paint_masks",
    "sample": "Box EncodedImage LabelMap Region Rle Sample Size Span Turn",
    "verify.finding": "Finding",
    "verify.output": "verify_output",
    "writer": "ShardWriter",
}
"""Module below `shards` -> its public names."""
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Box",
    "CorruptShardError",
    "DecodeError",
    "EncodedImage",
    "ExampleError",
    "Finding",
    "LabelMap",
    "LoadError",
    "Loader",
    "LoaderOptions",
    "MaskError",
    "MissingExtraError",
    "Mixture",
    "MixtureDataset",
    "PixelBatch",
    "Pixels",
    "RawBatch",
    "RawSample",
    "Region",
    "Rle",
    "Sample",
    "SampleError",
    "SampleIndex",
    "Selection",
    "ShardError",
    "ShardWriter",
    "Size",
    "Span",
    "Split",
    "Tally",
    "Turn",
    "__version__",
    "all_masks",
    "decode_labels",
    "decode_mask",
    "decode_photo",
    "encode_mask",
    "no_masks",
    "paint_masks",
    "read_shard",
    "read_split",
    "verify_output",
]


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value = _version()
        elif name in _MODULE_OF:
            from importlib import import_module

            value = getattr(import_module(f"shards.{_MODULE_OF[name]}"), name)
        else:
            raise AttributeError(f"module 'shards' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version of the installed package, or of the checkout that these modules are in."""
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    try:
        return version("glamm-shards")
    except PackageNotFoundError:
        import tomllib

        project = Path(__file__).parents[1] / "pyproject.toml"
        declared: str = tomllib.loads(project.read_text())["project"]["version"]
        return declared
