"""Whether a source is ready to be converted, and if not, what to do about it."""

from convert.examine.diagnosis import Diagnosis, Finding
from convert.examine.source import examine

__all__ = ["Diagnosis", "Finding", "examine"]
