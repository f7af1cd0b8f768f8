"""Bytes of samples from a split: where they are, the memory they are read into, and their check."""
