"""What URLs are understood, and how patiently their servers are asked."""

import os
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from shards.errors import LoadError

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
