"""Memory is given out again when nobody holds it, and never while somebody does."""

import os
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shards.load.reading.buffers import BufferPool

SIZE = 200_000


def place(array):
    return array.__array_interface__["data"][0]


def kept(array):
    """Bytes that whoever holds the array keeps."""
    return array.base.nbytes


def test_what_nobody_holds_is_given_out_again():
    memory = BufferPool()
    first = memory.take(SIZE)
    held = place(first)
    del first
    assert place(memory.take(SIZE - 5)) == held


def test_what_is_held_is_not():
    memory = BufferPool()
    whole = memory.take(SIZE)
    kept = [whole[5:9], whole.data[7:8], whole.reshape(2, -1)[1], whole.data[3:]]
    held = place(whole)
    del whole
    while kept:
        assert place(memory.take(SIZE)) != held
        kept.pop()
    assert held in {place(each) for each in [memory.take(SIZE), memory.take(SIZE)]}


def test_little_is_not_kept_in_much():
    memory = BufferPool()
    memory.take(50 * SIZE)  # nobody holds it
    held = [memory.take(SIZE) for _ in range(20)]
    assert sum(map(kept, held)) < 2 * 20 * SIZE


@given(st.lists(st.tuples(st.integers(1, 5_000_000), st.booleans()), max_size=60))
def test_no_more_is_idle_than_was_held_at_once(steps):
    memory, most = BufferPool(), 0
    held: list[NDArray[np.uint8]] = []
    for size, let_go in steps:
        if let_go:
            held.clear()
        held.append(memory.take(size))
        assert size <= kept(held[-1]) <= max(2 * size, 1 << 16)
        most = max(most, sum(map(kept, held)))
        owned = sum(map(len, memory._owners))
        assert owned <= 2 * most


def test_sizes_that_are_nearly_the_same_share_their_memory():
    memory = BufferPool()
    places = {place(memory.take(10 * SIZE + number)) for number in range(0, SIZE // 4, 777)}
    assert len(places) == len(memory._owners) == 1


def test_arrays_of_any_shape_and_type():
    memory = BufferPool()
    array = memory.array((3, 100, 400), np.float32)
    assert array.shape == (3, 100, 400)
    assert array.dtype == np.float32
    array[:] = 7
    masks = memory.array((3, 100, 400), np.bool_)
    masks[:] = True
    assert (array == 7).all()
    assert memory.array((0, 10, 10), np.bool_).shape == (0, 10, 10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_waits_for_no_thread_of_its_parent():
    memory = BufferPool()
    with memory._lock:
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(0 if len(memory.take(SIZE)) == SIZE else 1)
        assert os.waitpid(child, 0)[1] == 0
