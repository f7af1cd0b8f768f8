"""Bytes of samples, by their numbers in a split."""
