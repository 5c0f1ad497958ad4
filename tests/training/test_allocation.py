import subprocess
import sys

import pytest

from lgmrec_pyg.training import keep_freed_memory

# The median of faults of pages in rounds that take and free 24 MiB of memory, before
# and after.
SCRIPT = """
import resource
import torch
from lgmrec_pyg.training import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parts = [torch.ones(2**20) for _ in range(6)]
    del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def median():
    return sorted(faults() for _ in range(41))[20]

before = median()
assert keep_freed_memory()
print(before, median())
"""


@pytest.mark.skipif(not keep_freed_memory(), reason='needs glibc')
def test_freed_memory_is_taken_again():
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT], check=True, capture_output=True, text=True
    )
    before, after = map(int, done.stdout.split())
    assert after <= before / 10 or before < 100  # Of 6,144 pages of 4 KiB.
