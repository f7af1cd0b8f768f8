"""Error messages about a mask's counts. Slow and simple: called only after a kernel failed.

All messages are written here, so the kernels need to agree only on which counts are wrong.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from shards.errors import MaskError
from shards.sample import Size

_MAX_GROUPS = 7
"""35 bits: the longest number accepted. A difference of two runs of any picture takes 34."""


def explain_counts(counts: Iterable[bytes], size: Size) -> MaskError:
    """The error for a photo's masks of which at least one is wrong: it names the first."""
    problems = (_check_counts(text, size) for text in counts)
    return next(
        MaskError(f"mask {number}: {problem}") for number, problem in enumerate(problems) if problem
    )


def _check_counts(counts: bytes, size: Size) -> str:
    """The problem with the counts of one mask; empty if there is none."""
    if not counts or min(counts) < ord("0") or max(counts) > ord("o"):
        return "run-length counts are empty or hold bytes outside '0' to 'o'"
    ends = [index + 1 for index, byte in enumerate(counts) if not (byte - 48) & 32]
    if not ends or ends[-1] != len(counts):
        return "run-length counts end inside a number"
    spans = list(pairwise([0, *ends]))
    if any(end - start > _MAX_GROUPS for start, end in spans):
        return "run-length counts hold a number of more than 35 bits"
    return explain_lengths(list(_decode_lengths(counts, spans)), size)


def _decode_lengths(counts: bytes, spans: list[tuple[int, int]]) -> Iterator[int]:
    before = last = 0  # the two runs before; the very first is never subtracted
    for number, (start, end) in enumerate(spans):
        groups = [(byte - 48) & 31 for byte in counts[start:end]]
        value = sum(group << 5 * index for index, group in enumerate(groups))
        value -= (groups[-1] & 16) << (5 * len(groups) - 4)
        length = value + before
        before, last = last, length if number else 0
        yield length


def explain_lengths(lengths: Sequence[int], size: Size) -> str:
    """The problem with run lengths; empty if they cover the mask."""
    area = size.height * size.width
    if not lengths:
        return "there are no run lengths"
    if min(lengths) < 0:
        return "run-length counts hold a negative run"
    if max(lengths) > area:
        return f"run-length counts hold a run of more pixels than a mask of {size} has"
    if (total := sum(lengths)) == area:
        return ""
    return f"run-length counts cover {total} pixels, a mask of {size} has {area}"
