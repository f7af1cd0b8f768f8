"""Bytes of files at a URL, through obstore."""

import os
import random
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

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
"""obstore's, with jitter: a server that is away for 20 seconds is waited for."""


def connect(url: str, where: str) -> Any:
    """An obstore store of what is below a URL; nothing is asked yet.

    Args:
        url: of http, https or s3; it may hold a user and a password.
        where: the same without secrets, for messages.

    Raises:
        LoadError: if the URL is not understood, or obstore is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise LoadError(f"{where}: expected a folder, or a URL of {', '.join(SCHEMES)}")
    try:
        from obstore.exceptions import BaseError
    except ImportError as error:
        raise LoadError(
            f"{where}: a URL needs obstore; `pip install glamm-shards[remote]`"
        ) from error
    try:
        if parts.scheme == "s3":
            return _connect_s3(parts)
        return _connect_http(url, parts)
    except (BaseError, ValueError):
        problem = LoadError(
            f"{where}: not a URL that can be asked; expected one like s3://bucket/refcoco/train or "
            f"https://host/refcoco/train, and settings (AWS_...) that fit it"
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
_CUTS = 4
"""Times that an answer may break off with nothing new in it."""


class RemoteStore:
    """The files below one URL.

    Attributes:
        where: the URL without user, password and query.
    """

    def __init__(self, url: str) -> None:
        """Nothing is asked yet.

        Raises:
            LoadError: if the URL is not understood, or obstore is not installed.
        """
        self.where = public(url)
        self._store = connect(url, self.where)

    def __repr__(self) -> str:
        return f"RemoteStore({self.where!r})"

    def read(self, name: str, offset: int, size: int) -> Any:
        """Some bytes of a file: fewer where it ends.

        Raises:
            CorruptShardError: if there is no such file, or it ends before.
            LoadError: if the server does not answer or refuses.
        """
        import obstore

        return self._ask(
            name, offset, lambda: obstore.get_range(self._store, name, start=offset, length=size)
        )

    def size(self, name: str) -> int:
        """Bytes of a file. Asks for its first byte: who may read may not always ask for less."""
        import obstore

        options: Any = {"range": (0, 1)}
        size: int = self._ask(
            name, 0, lambda: obstore.get(self._store, name, options=options).meta["size"]
        )
        return size

    def whole(self, name: str) -> bytes:
        """A small file."""
        import obstore

        return self._ask(name, 0, lambda: bytes(obstore.get(self._store, name).bytes()))

    def stream(self, name: str, start: int, size: int) -> Iterator[bytes]:
        """A file in pieces, to its end. A connection that is cut is taken up where it was.

        Args:
            name: of the file.
            start: its first byte that is wanted.
            size: bytes of all of it.

        Raises:
            CorruptShardError: if there is no such file, or it is of another size.
            LoadError: if the server does not answer or refuses.
        """
        from obstore.exceptions import BaseError

        _refuse_forked(f"{self.where}/{name}")
        at, cuts = start, 0
        while at < size:
            before = at
            try:
                for piece in self._pieces(name, at, size):
                    yield piece
                    at, cuts = at + len(piece), 0
            except (BaseError, OSError, ValueError) as error:
                problem, again = explain(f"{self.where}/{name}", at, error), is_cut(error)
            else:
                if at > before:
                    continue
                problem, again = LoadError(f"{self.where}/{name}, byte {at}: no bytes came"), True
            cuts += 1
            if cuts > _CUTS or not again:
                raise problem
            _wait(cuts)

    def _pieces(self, name: str, start: int, size: int) -> Iterator[bytes]:
        import obstore

        options: Any = {"range": (start, size)}
        found = obstore.get(self._store, name, options=options)
        if found.meta["size"] != size:
            raise CorruptShardError(
                f"{self.where}/{name}, byte {min(found.meta['size'], size)}: expected {size} bytes "
                f"in all, found {found.meta['size']}; copy it there again"
            )
        return map(bytes, found.stream(min_chunk_size=CHUNK))

    def _ask(self, name: str, offset: int, ask: Callable[[], T]) -> T:
        from obstore.exceptions import BaseError

        _refuse_forked(f"{self.where}/{name}")
        for cuts in range(1, _CUTS + 2):
            try:
                return ask()
            except (BaseError, OSError, ValueError) as error:
                problem, again = explain(f"{self.where}/{name}", offset, error), is_cut(error)
            if cuts > _CUTS or not again:
                break
            _wait(cuts)
        raise problem


_process: list[int] = []
"""The process in which obstore's threads are."""


def _refuse_forked(file: str) -> None:
    """A forked child would wait for ever for threads that only its parent has."""
    if not _process:
        _process.append(os.getpid())
    if _process[0] != os.getpid():
        raise LoadError(
            f"{file}: this process was forked from one that had read from a URL, and cannot; start "
            f"workers with multiprocessing_context='spawn' or 'forkserver', or use threads"
        )


def _wait(cuts: int) -> None:
    time.sleep(random.uniform(0.1, 0.3) * 2**cuts)  # noqa: S311 - no secret
