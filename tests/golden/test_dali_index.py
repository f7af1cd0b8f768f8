"""DALI's index, character by character."""

from shards.index.dali import shard_files
from shards.tar import Entry, Member

FIRST = (
    Member("sa_10039.jpg", 512, 390595),
    Member("sa_10039.json", 391680, 56),
    Member("sa_10039.seg.png", 392704, 1002),
    Member("sa_10039.txt", 394240, 10),
)
ENTRIES = [
    Entry("sa_10039", 0, 394752, 1, FIRST),
    Entry("sa_1309", 394752, 512, 2, (Member("sa_1309.jpg", 395264, 0),)),
]
# As `wds2idx` of nvidia-dali 2.4 writes it.
TEXT = b"""\
v1.2 2
jpg 512 390595 sa_10039.jpg json 391680 56 sa_10039.json seg.png 392704 1002 sa_10039.seg.png \
txt 394240 10 sa_10039.txt
jpg 395264 0 sa_1309.jpg
"""


def test_the_index_of_a_shard() -> None:
    assert shard_files("sa-train-000000", ENTRIES) == {"sa-train-000000.idx": TEXT}
    assert shard_files("sa-train-000001", []) == {}
