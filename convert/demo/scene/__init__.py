"""Drawn photos: shapes, colours, and what is true of them."""
