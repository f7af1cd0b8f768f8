"""Draws samples: photos with masks and boxes, and their texts in the same colours."""
