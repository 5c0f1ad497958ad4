import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not os.path.exists('/proc/self/statm'), reason='needs Linux')
def test_damaged_files_end_in_errors_that_name_them() -> None:
    command = [sys.executable, '-m', 'tests.fuzz', '--inputs', '1000', '--seed', '1']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '1000 inputs' in done.stdout
