"""Prefetched results: in order, within the budget, complete."""

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


def test_no_task_is_started_above_the_budget():
    started = []

    def read(number):
        started.append(number)
        return b"x" * 100

    results = run(read, range(50), threads=2, budget=150)
    for _ in range(5):
        next(results)
        time.sleep(0.01)
    # Two waiting results exceed the budget; with the tasks started at once, there may be four.
    assert len(started) <= 5 + 4
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


def test_threads_wait_at_the_same_time():
    together = threading.Barrier(3, timeout=5)

    def wait(task):
        together.wait()
        return task

    # Of a budget as small as this, a thread is given one task at a time.
    assert len(list(run(wait, [b"x"] * 9, budget=8))) == 9


def test_small_results_come_in_groups_and_an_error_among_them_in_its_turn():
    def read(number):
        if number == 70:
            raise OSError("the disk is gone")
        return bytes([number])

    results = run(read, range(99))
    assert [next(results) for _ in range(70)] == [bytes([number]) for number in range(70)]
    with pytest.raises(OSError, match="disk"):
        next(results)


def test_threads_end_with_the_iterator():
    before = threading.active_count()
    results = run(bytes, [b""] * 50)
    next(results)
    del results
    assert threading.active_count() == before
