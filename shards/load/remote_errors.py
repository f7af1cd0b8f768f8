"""What goes wrong with a URL, told without secrets.

obstore's own messages hold the whole URL, user, password, query and all, and an answer's body. None
of them is passed on, not even as the cause of an error.
"""

import re
from urllib.parse import urlsplit

from shards.errors import CorruptShardError, LoadError, ShardError

_STATUS = re.compile(r"status code: (\d{3})")


def public(url: str) -> str:
    """A URL without user, password, query and fragment.

    Raises:
        LoadError: if it is none; it may hold secrets, and is not told.

    >>> public("https://me:secret@host:8080/data/train/?key=secret")
    'https://host:8080/data/train'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None:  # not inside: the error is told with its cause, which quotes the URL
        raise LoadError("a URL that is none; expected one like https://host/refcoco/train")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def is_cut(error: Exception) -> bool:
    """Whether an answer broke off: the one thing that obstore does not try again."""
    text = str(error)
    return "HttpError" in text and "RetryError" not in text


def explain(file: str, offset: int, error: Exception) -> ShardError:
    """What is wrong, in words that hold nothing of the error's."""
    text, place = str(error), f"{file}, byte {offset}"
    found = _STATUS.search(text)
    status = found.group(1) if found else ""
    if isinstance(error, FileNotFoundError) or status == "404":
        return CorruptShardError(
            f"{place}: no such file; expected the URL of a folder like OUT/refcoco/train that "
            f"`python -m convert.run` finished, copied whole"
        )
    if status == "416" or "UnexpectedRange" in text:
        return CorruptShardError(f"{place}: the file ends early; copy it there again")
    return LoadError(f"{place}: {_refusal(text, status)}")


def _refusal(text: str, status: str) -> str:
    if status in {"401", "403"}:
        return (
            f"the server refuses ({status}); check the credentials (AWS_ACCESS_KEY_ID..., or user "
            f"and password in the URL), whether they have run out, and whether the file is there"
        )
    if status:
        return f"the server answered {status}, also when asked again"
    if "RangeNotSupported" in text:
        return "the server answers no requests for ranges; serve the files with one that does"
    if "Timeout" in text or "TimedOut" in text or "timed out" in text:
        return "the server took too long to answer; can it be reached from here?"
    return (
        "no answer; is the server up, is its name right, and are there credentials? A proxy "
        "(HTTPS_PROXY) or an endpoint (AWS_ENDPOINT_URL) may stand between"
    )
