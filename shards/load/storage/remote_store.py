"""Bytes of files at a URL, read through obstore."""

import os
import random
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from shards.errors import CorruptShardError, LoadError, MissingExtraError, ShardError

_STATUS = re.compile(r"status code: (\d{3})")


def public(url: str) -> str:
    """A URL without user, password, query and fragment.

    Raises:
        LoadError: if it is not a valid URL; the message leaves it out, as it may hold secrets.

    >>> public("https://me:secret@host:8080/data/train/?key=secret")
    'https://host:8080/data/train'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None:  # outside `except`: the cause, which quotes the URL, must not be shown
        raise LoadError("not a valid URL; expected one like https://host/refcoco/train")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def is_interrupted(error: Exception) -> bool:
    """Whether a response was interrupted: the one failure that obstore does not retry."""
    text = str(error)
    return "HttpError" in text and "RetryError" not in text


def explain(file: str, offset: int, error: Exception) -> ShardError:
    """The error to raise; its message quotes nothing of the original, which may hold secrets."""
    text, where = str(error), f"{file}, byte {offset}"
    match = _STATUS.search(text)
    status = match.group(1) if match else ""
    if isinstance(error, FileNotFoundError) or status == "404":
        return CorruptShardError(
            f"{where}: no such file; expected the URL of a folder like OUT/refcoco/train that "
            f"`python -m convert.run` finished, copied whole"
        )
    if status == "416" or "UnexpectedRange" in text:
        return CorruptShardError(f"{where}: the file ends early; copy it there again")
    return LoadError(f"{where}: {_explain_refusal(text, status)}")


def _explain_refusal(text: str, status: str) -> str:
    if status in {"401", "403"}:
        return (
            f"the server refuses ({status}); check that the credentials (AWS_ACCESS_KEY_ID..., or "
            f"user and password in the URL) are right and not expired, and that the file exists"
        )
    if status:
        return f"the server answered {status}, also to retries"
    if "RangeNotSupported" in text:
        return "the server does not support range requests; serve the files with one that does"
    if "Timeout" in text or "TimedOut" in text or "timed out" in text:
        return "the server took too long to answer; check that this machine can reach it"
    return (
        "no answer; check that the server is up, its name and the credentials, and the settings of "
        "a proxy (HTTPS_PROXY) or an endpoint (AWS_ENDPOINT_URL)"
    )


SCHEMES = ("http", "https", "s3")
CLIENT: dict[str, Any] = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "15m"}
RETRY: Any = {
    "max_retries": 7,
    "retry_timeout": timedelta(minutes=2),
    "backoff": {
        "init_backoff": timedelta(seconds=0.2),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}
"""Settings of obstore, which adds jitter. They bridge an outage of 20 seconds."""


def connect(url: str, location: str) -> Any:
    """An obstore store for the files below a URL; sends no request yet.

    Args:
        url: of http, https or s3; it may hold a user and a password.
        location: the URL without secrets, for messages.

    Raises:
        LoadError: if the URL is not valid.
        MissingExtraError: if obstore is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise LoadError(f"{location}: expected a folder, or a URL of {', '.join(SCHEMES)}")
    try:
        from obstore.exceptions import BaseError
    except ImportError as error:
        raise MissingExtraError(
            f"{location}: a URL needs obstore: pip install 'glamm-shards[remote]'"
        ) from error
    try:
        if parts.scheme == "s3":
            return _connect_s3(parts)
        return _connect_http(url, parts)
    except (BaseError, ValueError):
        problem = LoadError(
            f"{location}: cannot connect to this URL; expected one like s3://bucket/refcoco/train "
            f"or https://host/refcoco/train, and matching settings (AWS_...)"
        )
    raise problem


def _connect_s3(parts: SplitResult) -> Any:
    from obstore.store import S3Store

    if not parts.netloc or "@" in parts.netloc or parts.query:
        raise ValueError(parts.netloc)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options: Any = CLIENT | {"allow_http": endpoint.startswith("http://")}
    prefix = parts.path.strip("/")
    return S3Store(parts.netloc, prefix=prefix, client_options=options, retry_config=RETRY)


def _connect_http(url: str, parts: SplitResult) -> Any:
    from obstore.store import HTTPStore

    options: Any = CLIENT | {"allow_http": parts.scheme == "http"}
    user, at, host = parts.netloc.rpartition("@")
    if at:
        user = b64encode(unquote(user).encode()).decode()
        options["default_headers"] = {"Authorization": f"Basic {user}"}
        url = parts._replace(netloc=host).geturl()
    return HTTPStore.from_url(url, client_options=options, retry_config=RETRY)


T = TypeVar("T")
CHUNK = 1 << 20
_INTERRUPTIONS = 4
"""Times that a response may be interrupted without any new byte."""


class RemoteStore:
    """The files below one URL.

    Attributes:
        location: the URL without user, password and query.
    """

    def __init__(self, url: str) -> None:
        """Send no request yet.

        Raises:
            LoadError: if the URL is not valid.
            MissingExtraError: if obstore is not installed.
        """
        self.location = public(url)
        self._store = connect(url, self.location)

    def __repr__(self) -> str:
        return f"RemoteStore({self.location!r})"

    def read(self, name: str, offset: int, size: int) -> Any:
        """Some bytes of a file: fewer at its end.

        Raises:
            CorruptShardError: if there is no such file, or it ends before the offset.
            LoadError: if the server does not answer or refuses.
        """
        import obstore

        return self._request(
            name, offset, lambda: obstore.get_range(self._store, name, start=offset, length=size)
        )

    def size(self, name: str) -> int:
        """Bytes of a file. Requests its first byte: not every server permits HEAD requests."""
        import obstore

        options: Any = {"range": (0, 1)}
        size: int = self._request(
            name, 0, lambda: obstore.get(self._store, name, options=options).meta["size"]
        )
        return size

    def whole(self, name: str) -> bytes:
        """The content of a small file."""
        import obstore

        return self._request(name, 0, lambda: bytes(obstore.get(self._store, name).bytes()))

    def stream(self, name: str, start: int, size: int) -> Iterator[bytes]:
        """A file in pieces, to its end. An interrupted response is continued where it stopped.

        Args:
            name: of the file.
            start: offset of the first byte.
            size: of the whole file.

        Raises:
            CorruptShardError: if there is no such file, or it has another size.
            LoadError: if the server does not answer or refuses.
        """
        from obstore.exceptions import BaseError

        _refuse_forked(f"{self.location}/{name}")
        offset, interruptions = start, 0
        while offset < size:
            before = offset
            try:
                for piece in self._pieces(name, offset, size):
                    yield piece
                    offset, interruptions = offset + len(piece), 0
            except (BaseError, OSError, ValueError) as error:
                problem = explain(f"{self.location}/{name}", offset, error)
                retry = is_interrupted(error)
            else:
                if offset > before:
                    continue
                problem = LoadError(f"{self.location}/{name}, byte {offset}: the response is empty")
                retry = True
            interruptions += 1
            if interruptions > _INTERRUPTIONS or not retry:
                raise problem
            _wait(interruptions)

    def _pieces(self, name: str, start: int, size: int) -> Iterator[bytes]:
        import obstore

        options: Any = {"range": (start, size)}
        response = obstore.get(self._store, name, options=options)
        if response.meta["size"] != size:
            raise CorruptShardError(
                f"{self.location}/{name}, byte {min(response.meta['size'], size)}: expected {size} "
                f"bytes in all, found {response.meta['size']}; copy it there again"
            )
        return map(bytes, response.stream(min_chunk_size=CHUNK))

    def _request(self, name: str, offset: int, send: Callable[[], T]) -> T:
        from obstore.exceptions import BaseError

        _refuse_forked(f"{self.location}/{name}")
        for interruptions in range(1, _INTERRUPTIONS + 2):
            try:
                return send()
            except (BaseError, OSError, ValueError) as error:
                problem = explain(f"{self.location}/{name}", offset, error)
                retry = is_interrupted(error)
            if interruptions > _INTERRUPTIONS or not retry:
                break
            _wait(interruptions)
        raise problem


_process: list[int] = []
"""The process in which obstore's threads run."""


def _refuse_forked(file: str) -> None:
    """Raise in a forked child: it would wait forever for threads that only its parent has."""
    if not _process:
        _process.append(os.getpid())
    if _process[0] != os.getpid():
        raise LoadError(
            f"{file}: this process was forked after its parent had read from a URL, so it cannot "
            f"read from one; start workers with multiprocessing_context='spawn' or 'forkserver', "
            f"or use threads"
        )


def _wait(interruptions: int) -> None:
    time.sleep(random.uniform(0.1, 0.3) * 2**interruptions)  # noqa: S311 - not for secrets
