"""Whether a source is ready to be converted, and if not, what to do about it."""

from convert.doctor.diagnosis import Diagnosis, Observation
from convert.doctor.source import examine

__all__ = ["Diagnosis", "Observation", "examine"]
