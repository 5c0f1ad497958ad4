import subprocess
import sys

import pytest

from lgmrec_pyg.training import keep_freed_memory

# Faults of pages that were freed and taken again, of 24 MiB of memory a round.
SCRIPT = """
import resource
import torch
from lgmrec_pyg.training import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        parts = [torch.ones(2**20) for _ in range(6)]
    del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
assert keep_freed_memory()
faults()  # Takes the memory that is kept from here on.
print(faults())
"""


@pytest.mark.skipif(not keep_freed_memory(), reason='needs glibc')
def test_freed_memory_is_taken_again():
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT], check=True, capture_output=True, text=True
    )
    # 6,144 pages of 4 KiB a round, if they all came anew.
    assert int(done.stdout) < 6144
