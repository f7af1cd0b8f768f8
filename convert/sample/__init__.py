"""A record and the bytes of its files become a sample. Pure."""
