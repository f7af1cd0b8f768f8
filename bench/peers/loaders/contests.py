"""Which ways are compared with which, and the goals."""

from bench.harness.command import Claim
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
from bench.peers.loaders.formats import MDS
from bench.peers.loaders.registry import WAYS

RAW = (
    bare.SEQUENTIAL,
    bare.READS,
    ours.ONE,
    ours.UNCHECKED,
    ours.TWO,
    by_dali.RAW,
    by_number.BY_NUMBER,
    by_number.ITERATED,
    plain_webdataset.OWN,
    plain_webdataset.ON_OURS,
    by_number.WIDS,
    by_litdata.LITDATA,
    by_energon.ENERGON,
    loose_files.HERE,
    ours.MAPPED,
)
WORKERS = (ours.WORKERS, plain_webdataset.WORKERS, loose_files.WORKERS)
DECODED = (
    bare.DECODES,
    bare.DECODES_HELD,
    ours.CPU,
    ours.CPU_MAPPED,
    plain_webdataset.DECODED,
    plain_webdataset.DECODED_OURS,
    loose_files.DECODED,
    by_dali.DECODED,
)
RANKED = tuple(way for way in RAW if WAYS[way].folder != MDS)
_GOALS = {
    bare.SEQUENTIAL: 0.90,
    bare.READS: None,
    by_dali.RAW: 2.0,
    by_number.BY_NUMBER: 2.0,
    by_number.ITERATED: 2.0,
    plain_webdataset.OWN: 10.0,
    plain_webdataset.ON_OURS: 6.0,
    by_number.WIDS: None,
    by_litdata.LITDATA: 10.0,
    by_energon.ENERGON: 15.0,
    loose_files.HERE: None,
}
OF_WARM = (
    *(Claim(way, other, goal) for way in (ours.MAPPED, ours.ONE) for other, goal in _GOALS.items()),
    Claim(ours.UNCHECKED, bare.SEQUENTIAL),
    Claim(ours.TWO, bare.SEQUENTIAL),
)
STEADY = tuple(way for way in RAW if way != ours.UNCHECKED)
OF_STEADY = tuple(
    Claim(way, bare.SEQUENTIAL, 0.90 if way in {ours.ONE, ours.MAPPED} else None)
    for way in STEADY[1:]
)
_PEERS = tuple(way for way in _GOALS if way != bare.SEQUENTIAL)
OF_COLD = (Claim(ours.ONE, bare.SEQUENTIAL, 0.90), *(Claim(ours.ONE, way) for way in _PEERS))
OF_RANKS = (
    Claim(ours.MAPPED, bare.SEQUENTIAL, 0.90),
    Claim(ours.ONE, bare.SEQUENTIAL),
    *(Claim(ours.ONE, way) for way in _PEERS),
)
OF_WORKERS = tuple(Claim(ours.TWO, way) for way in WORKERS)
OF_DECODED = (
    Claim(ours.CPU, bare.DECODES, 0.95),
    Claim(ours.CPU_MAPPED, bare.DECODES, 0.95),
    Claim(ours.CPU, bare.DECODES_HELD),
    Claim(ours.CPU, plain_webdataset.DECODED, 3.0),
    Claim(ours.CPU, plain_webdataset.DECODED_OURS, 3.0),
    Claim(ours.CPU, loose_files.DECODED),
    Claim(ours.CPU, by_dali.DECODED),
)
