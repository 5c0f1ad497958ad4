import pytest

from lgmrec_pyg.ops import _extension


@pytest.fixture(params=_extension.available_versions())
def each_version(request, monkeypatch):
    r"""Runs a test with every version of the kernels that this CPU can run."""
    kernels = _extension.load(request.param)
    if kernels is None:
        pytest.skip('needs the C++ extension')
    monkeypatch.setattr(_extension, 'KERNELS', kernels)
