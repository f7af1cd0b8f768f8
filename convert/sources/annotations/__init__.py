"""Readers of public annotation layouts. They know formats, not sources."""
