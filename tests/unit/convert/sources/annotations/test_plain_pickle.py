"""Untrusted pickles: plain data is read, no code runs, damage is told as such."""

import copyreg
import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.errors import SourceLayoutError, UnsafePickleError
from convert.sources.annotations.plain_pickle import read_plain_pickle

ROOT = Path(__file__).parents[5]
REFUSED = (UnsafePickleError, SourceLayoutError)
ROW = {
    "ref_id": 1, "ann_id": 2**40, "split": "train", "area": 1.5, "crowd": False, "none": None,
    "sentences": [{"sent": "woman on the left", "tokens": ["woman"], "sent_id": -1}],
}  # fmt: skip
_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100)
@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_comes_back(value, protocol) -> None:
    assert read_plain_pickle(pickle.dumps(value, protocol), "x.p") == value


def test_tuples_come_back_as_lists() -> None:
    value = [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, (4,))]
    for protocol in range(6):
        found = read_plain_pickle(pickle.dumps(value, protocol), "x.p")
        assert found == [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, [4]]]


def python2(text: bytes, *, protocol: int) -> bytes:
    """`{'sent': text}` as Python 2 pickled its byte strings."""
    if protocol == 0:
        escaped = repr(text)[1:].encode()
        return b"(dp0\nS'sent'\np1\nS" + escaped + b"\np2\ns."
    short = b"U" + bytes([len(text)]) + text
    return b"\x80\x02}q\0U\4sentq\1" + short + b"q\2s."


@pytest.mark.parametrize("protocol", [0, 2])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a woman's hat", "a woman's hat"),
        ("café 日本".encode(), "café 日本"),
        ("café".encode("latin-1"), "café"),
        (b"", ""),
    ],
)
def test_byte_strings_of_python_2(text, expected, protocol) -> None:
    assert read_plain_pickle(python2(text, protocol=protocol), "x.p") == {"sent": expected}


class Obey:
    """Calls something when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Persistent(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return "an id" if obj == "mine" else None


def persistent() -> bytes:
    out = io.BytesIO()
    Persistent(out, 2).dump(["mine"])
    return out.getvalue()


MARK = "obeyed"
HOSTILE = {
    **{
        f"reduce, protocol {protocol}": pickle.dumps([Obey(os.system, f"touch {MARK}")], protocol)
        for protocol in range(6)
    },
    "exec": pickle.dumps(Obey(exec, f"open({MARK!r}, 'w')")),
    "GLOBAL": f"cos\nsystem\n(S'touch {MARK}'\ntR.".encode(),
    "GLOBAL of a harmless class": b"ccollections\nOrderedDict\n.",
    "GLOBAL of a builtin": b"c__builtin__\neval\n.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch obeyed\x85R.",
    "INST": f"(S'touch {MARK}'\nios\nsystem\n.".encode(),
    "OBJ": f"(cos\nsystem\nS'touch {MARK}'\no.".encode(),
    "NEWOBJ": b"\x80\x02cos\n_wrap_close\n)\x81.",
    "PERSID": b"Pid\n.",
    "BINPERSID": persistent(),
    "set": pickle.dumps({1, 2}, 2),
    "numpy": pickle.dumps(np.zeros(3)),
    "an error": pickle.dumps(ValueError("x")),
    "behind a good object": b"]cos\nsystem\n.",
    "deep inside": b"(lp0\n(dp1\nS'a'\np2\ncos\nsystem\n(S'touch obeyed'\ntRsa.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_wants_to_run_is_refused_and_not_obeyed(tmp_path, monkeypatch, data) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickleError, match=r"x\.p"):
        read_plain_pickle(data, "x.p")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\0", b"\x84\xf0\0\0\0"])
def test_registered_extensions(opcode) -> None:
    with pytest.raises(REFUSED):
        read_plain_pickle(b"\x80\x02" + opcode + b".", "x.p")
    copyreg.add_extension("os", "system", 0xF0)
    try:
        with pytest.raises(UnsafePickleError):
            read_plain_pickle(b"\x80\x02" + opcode + b".", "x.p")
    finally:
        copyreg.remove_extension("os", "system", 0xF0)


BROKEN = {
    "nothing": b"",
    "text": b"not a pickle",
    "JSON": b'[{"ref_id": 1}]',
    "no end": b"]",
    "an empty stack": b".",
    "a protocol of the future": b"\x80\xff.",
    "a memo that is not there": b"h\x05.",
    "a list as a key": b"}]Ns.",
    "BUILD of a list": b"]}U\1aNsb.",
    "REDUCE of a string": b"U\1a)R.",
    "APPEND to nothing": b"Na.",
    "a short number": b"J\1\2",
    "an integer of letters": b"Iabc\n.",
    "a float of letters": b"Fabc\n.",
    "4,000,000,000 bytes": b"B" + struct.pack("<I", 4_000_000_000) + b".",
    "2**62 bytes": b"\x8e" + struct.pack("<Q", 2**62) + b".",
    "2**62 characters": b"\x8d" + struct.pack("<Q", 2**62) + b".",
    "a byte array of 2**62": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".",
    "a byte array under a view": b"\x80\x05\x96\2\0\0\0\0\0\0\0ab\x94\x98h\0K\1a.",
    "a buffer from outside": b"\x80\x05\x97.",
    "a frame of 2**62": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b".",
    "bad UTF-8": b"X\2\0\0\0\xff\xfe.",
    "a page": b"<html>404</html>",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_pickle_of_plain_data(data) -> None:
    with pytest.raises(SourceLayoutError, match=r"x\.p: not a pickle of plain data"):
        read_plain_pickle(data, "x.p")


BOMBS = {
    "a memo of billions": (b"]r" + struct.pack("<I", 2**32 - 1) + b".", "a list of 0"),
    "a memo of billions, in text": (b"]p4294967295\n.", "a list of 0"),
    "a deep tuple as a key": (b"})" + b"\x85" * 1_000_000 + b"Ns.", "refused"),
    "a byte array of 3 GB": (b"\x80\x05\x96" + struct.pack("<Q", 3 * 10**9) + b".", "refused"),
    "a deep list": (b"]" * 1_000_000 + b"a" * 999_999 + b".", "a list of 1"),
}
LIMITED = """
import resource, sys
from convert.errors import SourceLayoutError, UnsafePickleError
from convert.sources.annotations.plain_pickle import read_plain_pickle
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    value = read_plain_pickle(sys.stdin.buffer.read(), "x.p")
except (SourceLayoutError, UnsafePickleError):
    print("refused")
else:
    print("a list of", len(value))
"""


@pytest.mark.parametrize(("data", "message"), BOMBS.values(), ids=BOMBS)
def test_bombs_cost_neither_memory_nor_the_process(data, message) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED)],
        input=data,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.decode() == f"{message}\n"


GOOD = [pickle.dumps([ROW, ROW], protocol) for protocol in range(6)]


def test_cut_anywhere() -> None:
    for data in GOOD:
        for length in range(len(data)):
            with pytest.raises(SourceLayoutError):
                read_plain_pickle(data[:length], "x.p")


def _attempt(data: bytes) -> None:
    try:
        read_plain_pickle(data, "x.p")
    except REFUSED:
        return


def _damaged(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    data = bytearray(GOOD[rng.integers(0, len(GOOD))])
    for _ in range(rng.integers(1, 6)):
        data[rng.integers(0, len(data))] = rng.integers(0, 256)
    return bytes(data)


CODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


@settings(max_examples=400)
@given(
    st.lists(
        st.sampled_from(CODES) | st.binary(max_size=3) | st.sampled_from([b"1\n", b"\1", b"a\n"]),
        max_size=25,
    ).map(b"".join)
)
def test_any_opcodes(data) -> None:
    _attempt(data + b".")


def test_damage() -> None:
    for seed in range(1500):
        _attempt(_damaged(seed))


@pytest.mark.slow
def test_damage_at_length() -> None:
    for seed in range(10_000, 200_000):
        _attempt(_damaged(seed))


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None)
@given(
    st.lists(st.sampled_from(CODES) | st.sampled_from([b"1\n", b"\1\0", b"a\n"]), max_size=30).map(
        b"".join
    )
)
def test_any_opcodes_at_length(data) -> None:
    _attempt(data + b".")
