import sys
from pathlib import Path

import pytest
import torch
import torch._functorch.config

# Threads that wait for each other on busy cores make tests many times slower.
torch.set_num_threads(1)

# What the compiler keeps on disk does not tell the gradient of an operator of ours from
# an older one.
torch._functorch.config.enable_autograd_cache = False

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(12345)
