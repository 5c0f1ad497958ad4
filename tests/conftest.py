import sys
from pathlib import Path

import pytest
import torch

# Threads that wait for each other on busy cores make tests many times slower.
torch.set_num_threads(1)

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(12345)
