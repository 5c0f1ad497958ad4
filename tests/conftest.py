import sys
from pathlib import Path

import pytest
import torch
import torch._functorch.config
import torch._inductor.config

# Threads that wait for each other on busy cores make tests many times slower.
torch.set_num_threads(1)

# The graphs that the compiler keeps on disk do not tell an operator from an older one.
torch._functorch.config.enable_autograd_cache = False
torch._inductor.config.fx_graph_cache = False

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(12345)
