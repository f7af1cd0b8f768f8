"""The on-disk format: what the converter writes and the trainer reads.

Imports nothing heavier than numpy and msgspec. Loaders for frameworks live in `shards.load.*` and
are imported by name, so `import shards` never pulls in torch, DALI or ray.
"""
