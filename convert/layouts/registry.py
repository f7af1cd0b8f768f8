"""The layouts a config may name."""

from convert.layouts.captions import CAPTIONS
from convert.layouts.conversations import CONVERSATIONS
from convert.layouts.expressions import EXPRESSIONS
from convert.layouts.layout import Layout
from convert.layouts.parts import PARTS
from convert.layouts.refcocog_gcg import REFCOCOG_GCG
from convert.layouts.region_captions import REGION_CAPTIONS
from convert.layouts.sentences import SENTENCES

LAYOUTS: dict[str, Layout] = {
    "captions": CAPTIONS,
    "conversations": CONVERSATIONS,
    "expressions": EXPRESSIONS,
    "parts": PARTS,
    "refcocog_gcg": REFCOCOG_GCG,
    "region_captions": REGION_CAPTIONS,
    "sentences": SENTENCES,
}
