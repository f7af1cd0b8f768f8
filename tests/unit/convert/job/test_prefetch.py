"""Work begun early: in order, bounded, and with nothing lost."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.job.prefetch import prefetch


def run(function, tasks, threads=3, budget=10**9):
    return prefetch(function, tasks, threads=threads, size_of=len, budget=budget)


@given(st.lists(st.binary(max_size=9)), st.integers(1, 5), st.integers(0, 30))
@settings(deadline=None, max_examples=30)
def test_results_come_in_order(tasks, threads, budget):
    assert list(run(bytes.upper, tasks, threads, budget)) == [task.upper() for task in tasks]


def test_tasks_are_taken_no_sooner_than_needed():
    taken = []

    def tasks():
        for number in range(100):
            taken.append(number)
            yield number

    results = run(bytes, tasks(), threads=2)
    next(results)
    assert len(taken) <= 5
    results.close()
    assert len(taken) <= 5


def test_no_task_is_begun_above_the_budget():
    begun = []

    def read(number):
        begun.append(number)
        return b"x" * 100

    results = run(read, range(50), threads=2, budget=150)
    for _ in range(5):
        next(results)
        time.sleep(0.01)
    # Of the results that wait two are over the budget; with those begun at once, four may be there.
    assert len(begun) <= 5 + 4
    results.close()


def test_an_error_comes_in_its_turn():
    def read(number):
        if number == 3:
            raise OSError("the disk is gone")
        return bytes([number])

    results = run(read, range(9))
    assert [next(results) for _ in range(3)] == [b"\0", b"\1", b"\2"]
    with pytest.raises(OSError, match="disk"):
        next(results)


def test_waiting_is_shared():
    together = threading.Barrier(3, timeout=5)

    def wait(task):
        together.wait()
        return task

    # Of a budget as small as this, a thread is given one task at a time.
    assert len(list(run(wait, [b"x"] * 9, budget=8))) == 9


def test_small_results_are_made_several_at_once_and_an_error_among_them_still_has_its_turn():
    def read(number):
        if number == 70:
            raise OSError("the disk is gone")
        return bytes([number])

    results = run(read, range(99))
    assert [next(results) for _ in range(70)] == [bytes([number]) for number in range(70)]
    with pytest.raises(OSError, match="disk"):
        next(results)


def test_no_thread_stays():
    before = threading.active_count()
    results = run(bytes, [b""] * 50)
    next(results)
    del results
    assert threading.active_count() == before
