"""Whether an output is what was written: every file against every other, all findings at once."""

from shards.verify.finding import Finding
from shards.verify.output import Depth, verify

__all__ = ["Depth", "Finding", "verify"]
