"""A worker reuses the memory of its first photo for the second."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from convert.job.task import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def use():
    np.full((3000, 4000, 4), 255, np.uint8)  # more than glibc ever keeps of itself

if not keep_freed_memory():
    print("cannot")
else:
    use()
    before = faults()
    use()
    print(faults() - before)
"""


def test_memory_is_used_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
    )
    if done.stdout.strip() == "cannot":
        pytest.skip("the C library has no mallopt")
    assert int(done.stdout) < 1000  # of 11,719 pages
