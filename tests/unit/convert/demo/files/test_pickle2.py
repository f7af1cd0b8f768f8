"""Drawn pickles are Python 2's, byte for byte, and hold nothing but data."""

import io
import pickle
import pickletools

import pytest

from convert.demo import draw
from convert.demo.files.pickle2 import Long, Text, dump

# Written by Python 2.7.18: the value below with u'' for Text and an L behind the Long's number.
PYTHON_2 = (
    b"(lp0\n(dp1\nS'sent'\np2\nVcaf\xe9 \\u005c \\u2019\np3\nsa(dp4\nS'ann_id'\np5\nL7L\nsa(dp6\n"
    b"S'tokens'\np7\n(lp8\nS\"it's\"\np9\naS'a\"b'\np10\naS'x\\\\y'\np11\naS'it\\'s \"x\"'\np12\n"
    b"asa(dp13\ng5\nI12\nsa(dp14\ng5\nI-3\nsa(dp15\ng2\nVl\\u000am\np16\nsa."
)
VALUE = [
    {"sent": Text("caf\xe9 \\ \u2019")},
    {"ann_id": Long(7)},
    {"tokens": ["it's", 'a"b', "x\\y", 'it\'s "x"']},
    {"ann_id": 12},
    {"ann_id": -3},
    {"sent": Text("l\nm")},
]


class Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> None:
        raise AssertionError(f"{module}.{name} in a pickle of plain data")


def test_bytes_are_those_of_python_2():
    assert dump(VALUE) == PYTHON_2
    assert pickle.loads(dump(VALUE))[0] == {"sent": "caf\xe9 \\ \u2019"}


def test_anything_but_plain_data_is_refused():
    with pytest.raises(TypeError):
        dump([{1.5}])


def test_refs_load_without_any_class(tmp_path):
    truth = draw(tmp_path, "refcoco", images=6, with_defects=True)
    content = (tmp_path / "Refer_Segm/refcoco/refs(unc).p").read_bytes()
    refs = Plain(io.BytesIO(content)).load()
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(content)}
    assert {"STRING", "UNICODE", "INT", "LONG", "GET", "PUT"} <= opcodes
    expressions: dict[str, list[str]] = {}
    for ref in refs:
        key = f"{ref['image_id']:012d}"
        assert ref["sent_ids"] == [sentence["sent_id"] for sentence in ref["sentences"]]
        expressions.setdefault(key, []).extend(sentence["sent"] for sentence in ref["sentences"])
    for sample in truth.samples:
        assert sorted(expressions[sample.id]) == sorted(
            p for r in sample.regions for p in r.phrases
        )
    repeated = [
        ref for ref in refs if len({s["sent"] for s in ref["sentences"]}) < len(ref["sent_ids"])
    ]
    assert repeated
