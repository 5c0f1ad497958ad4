r"""Triton kernels, on the GPU if there is one and in the interpreter otherwise. The
interpreter has to be switched on before the kernels are defined: it gets a process
of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('triton', reason="needs triton: 'pip install triton'")

CHECKS = Path(__file__).with_name('triton_checks.py')


@pytest.mark.parametrize('check', ['check_spmm', 'check_infonce', 'check_gradients'])
def test_triton(check: str) -> None:
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    path = os.pathsep.join([str(CHECKS.parents[2]), os.environ.get('PYTHONPATH', '')])
    environ = os.environ | {'PYTHONPATH': path}
    if device == 'cpu':
        environ['TRITON_INTERPRET'] = '1'
    command = [sys.executable, str(CHECKS), check, device]
    out = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert out.stdout.strip() == f'{check}: all equal'
