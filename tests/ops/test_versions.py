import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lgmrec_pyg.ops import _extension, has_extension

LIBRARY = Path(_extension.__file__).with_name('_kernels.so')
pytestmark = pytest.mark.skipif(not has_extension(), reason='needs the C++ extension')


def test_the_environment_chooses_and_arithmetic_stays():
    # Fast arithmetic may link a start-up routine that flushes small numbers to zero.
    command = (
        'import torch; from lgmrec_pyg.ops._extension import KERNELS; '
        'print(KERNELS.version, (torch.tensor([1e-40]) * 1 > 0).item())'
    )
    out = subprocess.run(
        [sys.executable, '-c', command],
        env=os.environ | {'LGMREC_PYG_KERNELS': 'baseline'},
        capture_output=True,
        text=True,
    )
    assert out.stdout == 'baseline True\n'
    best = _extension.available_versions()[-1]
    assert os.environ.get('LGMREC_PYG_KERNELS') or _extension.KERNELS.version == best


def test_versions_beyond_the_cpu_are_refused(monkeypatch):
    monkeypatch.setattr('torch.backends.cpu.get_cpu_capability', lambda: 'AVX2')
    assert _extension.available_versions() == ['baseline', 'avx2']
    with pytest.raises(ValueError, match=r"on this CPU \(got 'avx512'\)"):
        _extension.load('avx512')
    monkeypatch.setattr('torch.backends.cpu.get_cpu_capability', lambda: 'SVE256')
    assert _extension.available_versions() == ['baseline']


def test_a_library_of_another_system_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / '_kernels.so').write_bytes(b'MZ')
    monkeypatch.setattr(_extension, '__file__', str(tmp_path / '_extension.py'))
    with pytest.warns(UserWarning, match='Runs without the C'):
        assert _extension.load('baseline') is None


def test_only_versions_for_it_need_avx():
    # Symbols name the version that they belong to; what names none is for all.
    if 'avx2' not in _extension.available_versions():
        pytest.skip('needs a CPU with AVX')
    if shutil.which('objdump') is None:
        pytest.skip("needs objdump: 'apt install binutils'")
    command = ['objdump', '-d', '--no-show-raw-insn', str(LIBRARY)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    users, name = {'baseline': 0, 'avx2': 0, 'avx512': 0}, ''
    for line in listing.stdout.splitlines():
        if header := re.fullmatch(r'[0-9a-f]+ <(.+)>:', line):
            name = header[1]
        elif re.search(r'%[yz]mm|%k[0-7]|:\s+v[a-z]', line):
            version = re.search('avx2|avx512', name)
            users[version[0] if version else 'baseline'] += 1
            assert version, f'{name}: {line}'
    assert users['avx2'] > 0
    assert users['avx512'] > 0
