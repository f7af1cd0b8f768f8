"""Everything that can go wrong while converting.

Every exception takes exactly one message, so it survives pickling between processes.
"""


class ConvertError(Exception):
    """The run cannot go on."""


class ConfigError(ConvertError):
    """The config, or what was typed, is wrong; the message names place, expected and found."""


class SourceLayoutError(ConvertError):
    """A source's files are not where, or not what, its documentation says."""


class RecordError(Exception):
    """One item cannot become a sample. It is quarantined and counted; the run goes on."""


class ImageMissingError(RecordError):
    """The photo an annotation names is not there."""


class ImageDecodeError(RecordError):
    """The photo is truncated, corrupt, or not an image."""


class ImageBudgetError(RecordError):
    """The photo has more bytes or pixels than the policy allows."""


class SizeMismatchError(RecordError):
    """Photo and annotation, mask or label map are of different sizes."""


class MaskDecodeError(RecordError):
    """A polygon or run-length mask does not describe a mask."""


class LabelMapError(RecordError):
    """A label map is missing, not 8 bits a pixel, or holds a value its table does not know."""


class SpanError(RecordError):
    """A grounded phrase lies outside its caption."""


class AnnotationError(RecordError):
    """A row lacks what it needs, or refers to a row that is not there."""


class UnsafePathError(RecordError):
    """A file name in an annotation would leave the data's folder."""


class UnsafePickleError(RecordError):
    """A pickle asks for something other than plain data."""
