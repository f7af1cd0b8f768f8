"""All ways to load, by name."""

from collections.abc import Mapping

from bench.peers.loaders import (
    bare,
    by_dali,
    by_energon,
    by_litdata,
    by_number,
    loose_files,
    ours,
    plain_webdataset,
)
from bench.peers.loaders.way import Way

WAYS: Mapping[str, Way] = {
    **bare.WAYS,
    **ours.WAYS,
    **plain_webdataset.WAYS,
    **by_number.WAYS,
    **by_dali.WAYS,
    **by_litdata.WAYS,
    **by_energon.WAYS,
    **loose_files.WAYS,
}
