"""A sample as a picture: its photo with masks and boxes on it, its words in their colours."""

from shards.view.sheet import draw_sheet, draw_tile

__all__ = ["draw_sheet", "draw_tile"]
