import io
import pickle
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lgmrec_pyg.datasets.features.npz import read_npz, write_npz


def npy_bytes(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def write_zip(path: Path, members: dict[str, bytes], compression: int = 0) -> None:
    with zipfile.ZipFile(path, 'w', compression) as file:
        for name, content in members.items():
            file.writestr(f'{name}.npy', content)


IDS = npy_bytes(np.arange(9))


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
    message = "(got 'ids.npy': pickled objects are not loaded; ids need to be an array"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_npz(str(path))
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match='got another file: File is not a zip file'):
        read_npz(str(path))


def test_read_npz_errors(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    np.savez(path, names=np.array(['a']), x=np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"got the arrays \['names', 'x'\]"):
        read_npz(str(path))
    with path.open('wb') as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match='got another file'):
        read_npz(str(path))
    write_npz(path, np.array([1]), np.zeros((100, 1)))
    content = path.read_bytes()
    for damaged in [b'', content[:-30]]:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='got another file'):
            read_npz(str(path))
    with pytest.raises(FileNotFoundError, match='nowhere'):
        read_npz(str(tmp_path / 'nowhere.npz'))


@pytest.mark.parametrize(
    'compression',
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_read_npz_of_damaged_files(tmp_path: Path, compression: int) -> None:
    path = tmp_path / 'text.npz'
    x = np.random.default_rng(0).random((9, 3))
    write_zip(path, {'x': npy_bytes(x), 'ids': IDS}, compression)
    assert np.array_equal(read_npz(str(path))[1], x)
    content, messages = path.read_bytes(), []
    for place in range(60, 200):
        changed = bytearray(content)
        changed[place] ^= 255
        path.write_bytes(changed)
        try:  # Some bits of a compressed file mean nothing.
            assert np.array_equal(read_npz(str(path))[1], x)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 100
    for message in messages:
        assert f"'{path}' needs to hold undamaged arrays" in message
        assert "(got 'x.npy': " in message


@pytest.mark.parametrize(
    ('place', 'value', 'reason'),
    [(8, 1, 'is encrypted, password required'), (10, 97, 'compression')],
)
def test_read_npz_of_unreadable_members(
    tmp_path: Path, place: int, value: int, reason: str
) -> None:
    path = tmp_path / 'text.npz'
    write_npz(path, np.array([1]), np.zeros((2, 1)))
    content = bytearray(path.read_bytes())
    directory = content.index(b'PK\1\2')
    for start, offset in [(directory, place), (0, place - 2)]:
        content[start + offset] = value
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"text\.npz' .*'ids\.npy': .*{reason}"):
        read_npz(str(path))


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('(1,), }        ', '(200000000,), }'),
        ('(1,), }      ', '(-1,-1,-1), }'),
        ('<f8', '<U0'),
        ('<f8', '<f4'),
        ('}', '('),
    ],
)
def test_read_npz_whose_header_is_wrong(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / 'text.npz'
    header = npy_bytes(np.zeros(1))[:-8]
    member = header.replace(old.encode(), new.encode()) + bytes(8)
    write_zip(path, {'x': member, 'ids': IDS})
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"text\.npz' needs to hold .*'x\.npy': "):
        read_npz(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_read_npz_takes_no_memory_out_of_proportion(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        with file.open('x.npy', 'w') as member:
            for _ in range(257):
                member.write(bytes(2**20))
        file.writestr('ids.npy', IDS)
    assert path.stat().st_size < 2**19
    tracemalloc.start()
    message = r"'x\.npy': its \d+ bytes stand for 269\d+, of .* use 'numpy\.savez'"
    with pytest.raises(ValueError, match=message):
        read_npz(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_read_npz_of_compressed_features(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    x = np.zeros((1000, 1000), np.float32)
    np.savez_compressed(path, ids=np.arange(1000), x=x)
    assert np.array_equal(read_npz(str(path))[1], x)
