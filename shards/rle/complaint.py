"""What is wrong with a mask's counts, in words. Slow and plain: the kernels ask when they fail.

One place decides what is said, so the kernels need only agree on yes and no.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from shards.errors import MaskError
from shards.rle.runs import pixels
from shards.sample import Size

_GROUPS = 7
"""35 bits: the longest number that is read. A difference of two runs of any picture takes 34."""


def refusal(counts: Iterable[bytes], size: Size) -> MaskError:
    """The error for a photo's masks of which a kernel has refused one: it names the first."""
    complaints = (_of_counts(text, size) for text in counts)
    return next(
        MaskError(f"mask {number}: {complaint}")
        for number, complaint in enumerate(complaints)
        if complaint
    )


def _of_counts(counts: bytes, size: Size) -> str:
    if not counts or min(counts) < ord("0") or max(counts) > ord("o"):
        return "run-length counts are empty or hold bytes outside '0' to 'o'"
    ends = [place + 1 for place, byte in enumerate(counts) if not (byte - 48) & 32]
    if not ends or ends[-1] != len(counts):
        return "run-length counts end inside a number"
    spans = list(pairwise([0, *ends]))
    if any(end - start > _GROUPS for start, end in spans):
        return "run-length counts hold a number of more than 35 bits"
    return of_lengths(list(_lengths(counts, spans)), size)


def _lengths(counts: bytes, spans: list[tuple[int, int]]) -> Iterator[int]:
    before = last = 0  # the two runs before; the very first is none to differ from
    for number, (start, end) in enumerate(spans):
        groups = [(byte - 48) & 31 for byte in counts[start:end]]
        value = sum(group << 5 * place for place, group in enumerate(groups))
        value -= (groups[-1] & 16) << (5 * len(groups) - 4)
        length = value + before
        before, last = last, length if number else 0
        yield length


def of_lengths(lengths: Sequence[int], size: Size) -> str:
    """What is wrong with run lengths; nothing if they cover the mask."""
    area = pixels(size)
    if not lengths:
        return "there are no run lengths"
    if min(lengths) < 0:
        return "run-length counts hold a negative run"
    if max(lengths) > area:
        return f"run-length counts hold a run of more pixels than a mask of {size} has"
    if (total := sum(lengths)) == area:
        return ""
    return f"run-length counts cover {total} pixels, a mask of {size} has {area}"
