import random
import sys
import time

import pytest
from killed_workers import (
    assert_equal,
    finish,
    has_checkpoint,
    kill_one,
    result,
    start,
)

EPOCHS = 12


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_a_killed_worker_does_not_matter(tmp_path):
    alone = start(tmp_path / 'alone', 'columns', EPOCHS)
    killed = start(tmp_path / 'killed', 'columns', EPOCHS)
    while not has_checkpoint(tmp_path / 'killed') and killed.poll() is None:
        time.sleep(0.01)
    assert kill_one(killed, random.Random(0))
    assert 'exitcode: -9' in finish(killed)
    finish(alone)
    assert_equal(result(tmp_path / 'killed'), result(tmp_path / 'alone'))
