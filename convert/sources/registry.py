"""The sources a config may name: `kind` -> dataclass whose fields are the entry's other keys."""

from convert.source import Source
from convert.sources.coco_captions import CocoCaptions
from convert.sources.coco_parts import CocoParts
from convert.sources.conversations import Conversations
from convert.sources.expressions import Expressions
from convert.sources.grand import Grand
from convert.sources.grandf import GrandF
from convert.sources.label_folders import LabelFolders
from convert.sources.refcocog_gcg import RefcocogGcg
from convert.sources.refer import Refer
from convert.sources.region_captions import RegionCaptions
from convert.sources.sentences import Sentences

SOURCES: dict[str, type[Source]] = {
    "coco_captions": CocoCaptions,
    "coco_parts": CocoParts,
    "conversations": Conversations,
    "expressions": Expressions,
    "grand": Grand,
    "grandf": GrandF,
    "label_folders": LabelFolders,
    "refcocog_gcg": RefcocogGcg,
    "refer": Refer,
    "region_captions": RegionCaptions,
    "sentences": Sentences,
}
