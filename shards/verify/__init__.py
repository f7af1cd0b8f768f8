"""Checks whether an output is as it was written: every file against the others; all findings."""

from shards.verify.finding import Finding
from shards.verify.output import Depth, verify_output

__all__ = ["Depth", "Finding", "verify_output"]
