"""An HTTP server for range requests with scripted faults, and tests of the server itself."""

import re
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CUT, WRONG, SHORT, WHOLE = "cut", "wrong", "short", "whole"


class RangeServer(ThreadingHTTPServer):
    """Serves the files of a folder.

    Attributes:
        faults: name of a file -> one fault per request for it, in order: a status, or CUT (the
            connection breaks in the middle), WRONG (other bytes), SHORT (a valid response with half
            of the bytes), WHOLE (the range is ignored).
        requests: (name, range or None) of each request.
        seen: Authorization header and query of each request.
        pause: while it is not set, responses stop in the middle.
        pause_in: the only file whose responses stop; empty: all.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.folder = folder
        self.faults: defaultdict[str, list[int | str]] = defaultdict(list)
        self.requests: list[tuple[str, str | None]] = []
        self.seen: list[tuple[str | None, str]] = []
        self.pause = threading.Event()
        self.pause_in = ""
        self.pause.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def count(self) -> Counter[str]:
        return Counter(name for name, _ in self.requests)

    def handle_error(self, request, client_address) -> None:
        """Ignore clients that disconnect."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each response, which is sent in pieces, takes 40 ms
    server: RangeServer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        name = path.rpartition("/")[2]
        requested = self.headers["Range"]
        self.server.requests.append((name, requested))
        self.server.seen.append((self.headers["Authorization"], query))
        faults = self.server.faults[name]
        fault = faults.pop(0) if faults else None
        file = self.server.folder / path.strip("/")
        if isinstance(fault, int) or not file.is_file():
            self._send(fault if isinstance(fault, int) else 404, b"no secret=BODY", {})
            return
        data = file.read_bytes()
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", requested or "")
        if match is None or fault == WHOLE:
            self._send(200, data, {}, fault)
            return
        start, end = int(match[1]), min(int(match[2] or len(data)), len(data) - 1)
        if start >= len(data):
            self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        part = data[start : end + 1]
        if fault == SHORT:
            part = part[: len(part) // 2]
            end = start + len(part) - 1
        if fault == WRONG:
            part = bytes(byte ^ 1 for byte in part)
        self._send(206, part, {"Content-Range": f"bytes {start}-{end}/{len(data)}"}, fault)

    def _send(self, status, data, headers, fault=None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(data) // 2
        self.wfile.write(data[:half])
        if fault == CUT:  # a reset, not an end
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        if self.server.pause_in in self.path:
            self.server.pause.wait(60)
        self.wfile.write(data[half:])

    def log_message(self, *_) -> None:
        pass


@contextmanager
def serve(folder: Path):
    with RangeServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.pause.set()
            server.shutdown()
            thread.join()


def test_ranges_and_mishaps(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with serve(tmp_path) as server:
        server.faults["a"] += [503, WRONG, SHORT, CUT]

        def ask() -> bytes:
            url, headers = f"{server.url}/a", {"Range": "bytes=2-5"}
            request = urllib.request.Request(url, headers=headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                content: bytes = answer.read()
            return content

        with pytest.raises(urllib.error.HTTPError) as refused:
            ask()
        refused.value.close()
        assert (ask(), ask()) == (b"3254", b"23")
        with pytest.raises(OSError):  # noqa: PT011 - a reset, at whatever moment it is seen
            ask()
        assert ask() == b"2345"
        assert server.requests == [("a", "bytes=2-5")] * 5
