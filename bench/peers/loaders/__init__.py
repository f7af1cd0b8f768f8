"""Loaders for training that bench.loader compares: others, used as documented, and ours."""
