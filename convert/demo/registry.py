"""The drawings: name of a source -> function that draws it."""

from collections.abc import Callable

from convert.demo.scene.photos import DrawOptions
from convert.demo.sources.ade20k import draw_ade20k
from convert.demo.sources.coco_captions import draw_coco_captions
from convert.demo.sources.coco_stuff import draw_coco_stuff
from convert.demo.sources.flickr import draw_flickr30k, draw_flickr_gcg
from convert.demo.sources.grand import draw_grand_caption, draw_grand_referring
from convert.demo.sources.grandf_ha import draw_grandf_ha
from convert.demo.sources.llava_instruct import draw_llava_instruct
from convert.demo.sources.mapillary import draw_mapillary
from convert.demo.sources.openpsg_gcg import draw_openpsg_gcg
from convert.demo.sources.paco_lvis import draw_paco_lvis
from convert.demo.sources.pascal_part import draw_pascal_part
from convert.demo.sources.refclef import draw_refclef
from convert.demo.sources.refcoco import draw_refcoco, draw_refcoco_plus, draw_refcocog
from convert.demo.sources.refcoco_region import (
    draw_refcoco_plus_region,
    draw_refcoco_region,
    draw_refcocog_region,
)
from convert.demo.sources.refcocog_gcg import draw_refcocog_gcg
from convert.demo.sources.visual_genome import draw_visual_genome
from convert.demo.truth import Truth

Drawing = Callable[[DrawOptions], Truth]

DRAWINGS: dict[str, Drawing] = {
    "grandf_ha": draw_grandf_ha,
    "openpsg_gcg": draw_openpsg_gcg,
    "refcocog_gcg": draw_refcocog_gcg,
    "flickr_gcg": draw_flickr_gcg,
    "ade20k": draw_ade20k,
    "coco_stuff": draw_coco_stuff,
    "mapillary": draw_mapillary,
    "paco_lvis": draw_paco_lvis,
    "pascal_part": draw_pascal_part,
    "refcoco": draw_refcoco,
    "refcoco_plus": draw_refcoco_plus,
    "refcocog": draw_refcocog,
    "refclef": draw_refclef,
    "refcoco_region": draw_refcoco_region,
    "refcoco_plus_region": draw_refcoco_plus_region,
    "refcocog_region": draw_refcocog_region,
    "visual_genome": draw_visual_genome,
    "flickr30k": draw_flickr30k,
    "coco_captions": draw_coco_captions,
    "llava_instruct": draw_llava_instruct,
    "grand_caption": draw_grand_caption,
    "grand_referring": draw_grand_referring,
}
