"""One run: choose sources, plan shards, convert, write manifests, report."""
