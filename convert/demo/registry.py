"""What can be drawn: name of a source -> its drawing."""

from collections.abc import Callable

from convert.demo.ade20k import draw_ade20k
from convert.demo.coco_captions import draw_coco_captions
from convert.demo.grandf_ha import draw_grandf_ha
from convert.demo.refcoco import draw_refcoco
from convert.demo.studies import Brief
from convert.demo.truth import Truth

Drawing = Callable[[Brief], Truth]

DRAWINGS: dict[str, Drawing] = {
    "grandf_ha": draw_grandf_ha,
    "ade20k": draw_ade20k,
    "refcoco": draw_refcoco,
    "coco_captions": draw_coco_captions,
}
