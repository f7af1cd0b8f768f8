"""Drawn photos: scenes of shapes, their masks, and their painting."""
