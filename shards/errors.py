"""The errors of this package. Each takes one message, so each can be pickled."""


class ShardError(Exception):
    """Base of all errors about shards, indexes and manifests."""


class CorruptShardError(ShardError):
    """A file is missing, damaged, or not of the format."""


class DecodeError(CorruptShardError):
    """A photo, label map or mask cannot be decoded, or does not match its sample's annotations."""


class SampleError(ShardError):
    """A sample breaks the format: invalid key, mask of another size, span outside its caption."""


class MaskError(ShardError):
    """Run-length counts do not describe a mask of their size."""


class LoadError(ShardError):
    """A loader cannot do what was requested: invalid options, or the state of another loader."""


class MissingExtraError(LoadError, ImportError):
    """A required library is not installed; the message names the extra that installs it."""


class ExampleError(ShardError):
    """A valid sample lacks what a training example needs, such as a caption with spans."""
