"""Readers of public annotation layouts. They know file formats, not sources."""
