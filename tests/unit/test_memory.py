"""Memory is given out again when nobody holds it, and never while somebody does."""

import numpy as np

from shards.load.memory import Memory

SIZE = 200_000


def place(array):
    return array.__array_interface__["data"][0]


def test_what_nobody_holds_is_given_out_again():
    memory = Memory()
    first = memory.take(SIZE)
    held = place(first)
    del first
    assert place(memory.take(SIZE - 5)) == held


def test_what_is_held_is_not():
    memory = Memory()
    whole = memory.take(SIZE)
    kept = [whole[5:9], whole.data[7:8], whole.reshape(2, -1)[1], whole.data[3:]]
    held = place(whole)
    del whole
    while kept:
        assert place(memory.take(SIZE)) != held
        kept.pop()
    assert held in {place(each) for each in [memory.take(SIZE), memory.take(SIZE)]}


def test_it_grows_with_what_is_asked():
    memory = Memory()
    for size in (SIZE, 3 * SIZE, 2 * SIZE, 10):
        assert len(memory.take(size)) == size
    assert len(memory._owners) == 1


def test_arrays_of_any_shape_and_type():
    memory = Memory()
    array = memory.array((3, 100, 400), np.float32)
    assert array.shape == (3, 100, 400)
    assert array.dtype == np.float32
    array[:] = 7
    masks = memory.array((3, 100, 400), np.bool_)
    masks[:] = True
    assert (array == 7).all()
    assert memory.array((0, 10, 10), np.bool_).shape == (0, 10, 10)


def test_it_asks_where_it_was_told_to():
    asked = []

    def allocate(size):
        asked.append(size)
        return np.zeros(size, np.uint8)

    memory = Memory(allocate)
    assert not memory.take(SIZE).any()
    memory.take(SIZE)
    assert asked == [4 * 65536]
