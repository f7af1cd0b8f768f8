"""Readers of public layouts. They know formats, not sources."""
