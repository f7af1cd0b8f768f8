"""What the benchmarks share: sections, timing, photos."""
