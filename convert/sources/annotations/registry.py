"""The layouts that a config may name."""

from convert.sources.annotations.captions import CAPTIONS
from convert.sources.annotations.conversations import CONVERSATIONS
from convert.sources.annotations.expressions import EXPRESSIONS
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.parts import PARTS
from convert.sources.annotations.refcocog_gcg import REFCOCOG_GCG
from convert.sources.annotations.region_captions import REGION_CAPTIONS
from convert.sources.annotations.sentences import SENTENCES

LAYOUTS: dict[str, Layout] = {
    "captions": CAPTIONS,
    "conversations": CONVERSATIONS,
    "expressions": EXPRESSIONS,
    "parts": PARTS,
    "refcocog_gcg": REFCOCOG_GCG,
    "region_captions": REGION_CAPTIONS,
    "sentences": SENTENCES,
}
