import os
import pickle

import numpy as np
import pytest
import torch

from lgmrec_pyg.datasets.ogb.package import allow_ogb_files, import_ogb


class Payload:
    r"""Creates a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_allow_ogb_files_reads_empty_arrays(tmp_path):
    torch.save(np.empty((0, 3), dtype=np.float32), tmp_path / 'empty.pt')
    with allow_ogb_files():
        out = torch.load(tmp_path / 'empty.pt')
    assert out.shape == (0, 3)
    assert out.dtype == np.float32


@pytest.mark.parametrize('dtype', ['int64', 'int32', 'uint8', 'bool', 'f4', 'f8', 'f2'])
def test_allow_ogb_files_reads_arrays_and_scalars(tmp_path, dtype):
    expected = {'array': np.arange(6).reshape(2, 3).astype(dtype), 'list': ['a', 1]}
    expected['scalar'] = expected['array'][1, 2]
    torch.save(expected, tmp_path / 'split_dict.pt')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'split_dict.pt')
    with allow_ogb_files():
        out = torch.load(tmp_path / 'split_dict.pt')
    assert out['list'] == expected['list']
    for key in ('array', 'scalar'):
        assert out[key].dtype == dtype
        np.testing.assert_array_equal(out[key], expected[key])


def test_allow_ogb_files_reads_arrays_pickled_by_numpy_1(tmp_path):
    # NumPy 1 pickles by functions of 'numpy.core', which NumPy 2 renames.
    torch.save(np.arange(3), tmp_path / 'new.pt', _use_new_zipfile_serialization=False)
    content = (tmp_path / 'new.pt').read_bytes()
    content = content.replace(b'numpy._core.multiarray', b'numpy.core.multiarray')
    (tmp_path / 'old.pt').write_bytes(content)
    assert b'numpy.core.multiarray' in content
    with allow_ogb_files():
        assert torch.load(tmp_path / 'old.pt').tolist() == [0, 1, 2]


def test_allow_ogb_files_refuses_code(tmp_path):
    torch.save({'train': Payload(str(tmp_path / 'run'))}, tmp_path / 'split_dict.pt')
    with allow_ogb_files(), pytest.raises(pickle.UnpicklingError, match='mkdir'):
        torch.load(tmp_path / 'split_dict.pt')
    assert not (tmp_path / 'run').exists()


def test_allow_ogb_files_ends_with_its_block(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    with allow_ogb_files():
        assert set(torch.serialization.get_safe_globals()) > before
    assert set(torch.serialization.get_safe_globals()) == before


def test_import_ogb_names_the_package_to_install():
    with pytest.raises(ImportError, match=r"need 'ogb': pip install ogb"):
        import_ogb('module_that_is_not_there')
