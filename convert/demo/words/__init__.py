"""Texts about drawn photos: expressions, captions, grounded phrases."""
