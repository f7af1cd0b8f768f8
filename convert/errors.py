"""The errors of a conversion.

Every exception takes exactly one message, so that it can be pickled between processes.
"""


class ConvertError(Exception):
    """The run cannot continue."""


class ConfigError(ConvertError):
    """The config or the command line is wrong. The message says where, and what was expected."""


class SourceLayoutError(ConvertError):
    """A source's files are missing, or do not have the published layout."""


class RecordError(Exception):
    """One item cannot become a sample. It is quarantined and counted; the run continues."""


class ImageMissingError(RecordError):
    """The photo that an annotation names is missing."""


class ImageDecodeError(RecordError):
    """The photo is truncated, corrupt, or not an image."""


class ImageBudgetError(RecordError):
    """The photo has more bytes or pixels than the policy allows."""


class SizeMismatchError(RecordError):
    """Photo and annotation, mask or label map have different sizes."""


class MaskDecodeError(RecordError):
    """A polygon or run-length mask does not describe a mask."""


class LabelMapError(RecordError):
    """A label map is missing, not 8 bits a pixel, or holds a value that its table lacks."""


class SpanError(RecordError):
    """A grounded phrase lies outside its caption."""


class AnnotationError(RecordError):
    """A row is incomplete or contradictory, or refers to a row that is missing."""


class UnsafePathError(RecordError):
    """A file name in an annotation would leave the data's folder."""


class UnsafePickleError(RecordError):
    """A pickle holds something other than plain data."""
