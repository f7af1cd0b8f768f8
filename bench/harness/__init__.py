"""Code that benchmarks share: commands, timing, photos, damage to JPEGs."""
