"""Everything that can be wrong with a shard. Each takes one message, so it pickles as it is."""


class ShardError(Exception):
    """A shard, index or manifest breaks the format."""


class CorruptShardError(ShardError):
    """The bytes on disk are not the bytes that were written."""


class DecodeError(CorruptShardError):
    """A photo, label map or mask does not decode, or does not fit its sample's annotations."""


class SampleError(ShardError):
    """A sample cannot be stored: bad key, mask of another size, span outside its caption."""


class MaskError(ShardError):
    """Run-length counts that do not describe a mask of their size."""


class LoadError(ShardError):
    """A loader was asked for what cannot be: a batch that ranks cannot share, another's state."""


class MissingExtraError(LoadError, ImportError):
    """A library that this call needs is not installed; the message names the extra that has it."""


class ExampleError(ShardError):
    """A sound sample cannot make the example that was asked for: a caption that grounds nothing."""
