"""The sources a config may name: `kind` -> dataclass whose fields are the entry's other keys."""

from convert.source import Source
from convert.sources.coco_captions import CocoCaptions
from convert.sources.grandf import GrandF
from convert.sources.label_folders import LabelFolders
from convert.sources.refer import Refer

SOURCES: dict[str, type[Source]] = {
    "coco_captions": CocoCaptions,
    "grandf": GrandF,
    "label_folders": LabelFolders,
    "refer": Refer,
}
