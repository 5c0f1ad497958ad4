import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from lgmrec_pyg.datasets.features.npz import read_npz, write_npz


@pytest.mark.parametrize('ids', [['a', 'Käse', '\u3042'], [3, -1, 2**62]])
def test_round_trip(tmp_path: Path, ids: list) -> None:
    path = tmp_path / 'new' / 'text.npz'
    x = np.random.default_rng(0).random((3, 5), dtype=np.float32)
    kind = object if isinstance(ids[0], str) else np.int64
    write_npz(path, np.array(ids, dtype=kind), x)
    out_ids, out_x = read_npz(str(path))
    assert out_ids.tolist() == ids
    assert out_x.dtype == np.float32
    assert np.array_equal(out_x, x)
    assert [file.name for file in path.parent.iterdir()] == ['text.npz']


def test_write_npz_refuses_what_it_cannot_keep(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    write_npz(path, np.array(['a'], dtype=object), np.zeros((1, 1)))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"a null character \(got 'b\\x00'\)"):
        write_npz(path, np.array(['a', 'b\0'], dtype=object), np.zeros((2, 1)))
    assert path.read_bytes() == before


class Bomb:
    def __reduce__(self) -> tuple:
        return pytest.fail, ('The file was unpickled',)


def test_read_npz_never_unpickles(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    np.savez(path, ids=np.array([Bomb()]), x=np.zeros((1, 1)))
    message = 'such as numpy.array(ids, dtype=str); pickled objects are not loaded'
    with pytest.raises(ValueError, match=re.escape(message)):
        read_npz(str(path))
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match='pickled objects are not loaded'):
        read_npz(str(path))


def test_read_npz_errors(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    np.savez(path, names=np.array(['a']), x=np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"got the arrays \['names', 'x'\]"):
        read_npz(str(path))
    with path.open('wb') as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match='got a single array'):
        read_npz(str(path))
    write_npz(path, np.array([1]), np.zeros((100, 1)))
    content = path.read_bytes()
    for damaged in [b'', content[:-30], content[:150] + b'xx' + content[152:]]:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='got a damaged file'):
            read_npz(str(path))
    with pytest.raises(FileNotFoundError, match='nowhere'):
        read_npz(str(tmp_path / 'nowhere.npz'))
