"""Sentences about a drawn photo."""
