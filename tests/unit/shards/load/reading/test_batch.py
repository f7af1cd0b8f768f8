"""Pooled memory is reused once nothing refers to it, and never before."""

import os
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shards.load.reading.batch import BufferPool

SIZE = 200_000


def address(array):
    return array.__array_interface__["data"][0]


def owned_bytes(array):
    """Bytes of the memory that an array refers to."""
    return array.base.nbytes


def test_unreferenced_memory_is_reused():
    memory = BufferPool()
    first = memory.take(SIZE)
    held = address(first)
    del first
    assert address(memory.take(SIZE - 5)) == held


def test_referenced_memory_is_not_reused():
    memory = BufferPool()
    whole = memory.take(SIZE)
    views = [whole[5:9], whole.data[7:8], whole.reshape(2, -1)[1], whole.data[3:]]
    held = address(whole)
    del whole
    while views:
        assert address(memory.take(SIZE)) != held
        views.pop()
    assert held in {address(each) for each in [memory.take(SIZE), memory.take(SIZE)]}


def test_small_arrays_do_not_hold_large_memory():
    memory = BufferPool()
    memory.take(50 * SIZE)  # unreferenced at once
    held = [memory.take(SIZE) for _ in range(20)]
    assert sum(map(owned_bytes, held)) < 2 * 20 * SIZE


@given(st.lists(st.tuples(st.integers(1, 5_000_000), st.booleans()), max_size=60))
def test_idle_memory_never_exceeds_the_peak_in_use(steps):
    memory, most = BufferPool(), 0
    held: list[NDArray[np.uint8]] = []
    for size, release in steps:
        if release:
            held.clear()
        held.append(memory.take(size))
        assert size <= owned_bytes(held[-1]) <= max(2 * size, 1 << 16)
        most = max(most, sum(map(owned_bytes, held)))
        owned = sum(map(len, memory._owners))
        assert owned <= 2 * most


def test_sizes_that_are_nearly_equal_reuse_the_same_memory():
    memory = BufferPool()
    addresses = {address(memory.take(10 * SIZE + number)) for number in range(0, SIZE // 4, 777)}
    assert len(addresses) == len(memory._owners) == 1


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
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent():
    memory = BufferPool()
    with memory._lock:
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(0 if len(memory.take(SIZE)) == SIZE else 1)
        assert os.waitpid(child, 0)[1] == 0
