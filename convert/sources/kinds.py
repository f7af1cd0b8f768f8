"""The kinds of sources: `kind` of a config entry -> dataclass with the entry's other keys."""

from convert.sources.annotation_files import AnnotationFiles
from convert.sources.grand import Grand
from convert.sources.grandf import GrandF
from convert.sources.label_folders import LabelFolders
from convert.sources.refer import Refer
from convert.sources.source import Source

SOURCES: dict[str, type[Source]] = {
    "annotation_files": AnnotationFiles,
    "grand": Grand,
    "grandf": GrandF,
    "label_folders": LabelFolders,
    "refer": Refer,
}
