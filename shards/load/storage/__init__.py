"""Where bytes come from: folders, URLs, a cache of downloads."""
