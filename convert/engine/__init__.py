"""Runs a function over tasks, in this process or on Ray. Knows no sources and no shards."""
