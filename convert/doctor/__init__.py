"""Checks whether the downloads of a source are complete, and suggests what to do if they are not.

The doctor knows no source by name. It asks a source through `convert.sources.source.Source` and
the optional protocols beside it.
"""

from convert.doctor.checks import check_source
from convert.doctor.diagnosis import Advice, Diagnosis

__all__ = ["Advice", "Diagnosis", "check_source"]
