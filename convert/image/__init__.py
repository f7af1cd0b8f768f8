"""Photos: bytes in, bytes of a stored photo out. Pure."""
