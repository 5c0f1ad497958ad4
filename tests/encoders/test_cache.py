import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch

from lgmrec_pyg.encoders import EmbeddingCache

KEYS = [bytes([i]) * 32 for i in range(3)]
X = torch.tensor([[1.0, 2.0]])


def damage(path: Path, place: int | bytes) -> None:
    with EmbeddingCache(path, 'one') as cache:
        cache.put(KEYS[:1], X)
    content = bytearray(path.read_bytes())
    content[content.index(place) if isinstance(place, bytes) else place] = 255
    path.write_bytes(content)


def test_embedding_cache(tmp_path: Path) -> None:
    path = str(tmp_path / 'a.sqlite')
    x = torch.randn(2, 4)
    with EmbeddingCache(path, 'one') as cache:
        assert cache.get(KEYS[0]) is None
        cache.put(KEYS[:2], x)
    with EmbeddingCache(path, 'one') as cache:
        for key, row in zip(KEYS, x, strict=False):
            assert torch.equal(cache.get(key), row)
        assert cache.get(KEYS[2]) is None
        cache.put(KEYS[:1], x[1:])
        assert torch.equal(cache.get(KEYS[0]), x[1])
    with EmbeddingCache(path, 'two') as cache:
        assert cache.get(KEYS[0]) is None


@pytest.mark.parametrize('content', [b'something else' * 99, b'SQLite format 3\0' * 99])
def test_embedding_cache_of_another_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'a.sqlite'
    path.write_bytes(content)
    message = f"'{path}' needs to be a cache of embeddings ("
    with pytest.raises(ValueError, match=re.escape(message)):
        EmbeddingCache(str(path), 'one')
    assert path.read_bytes() == content


def test_embedding_cache_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / 'a.sqlite'
    keys = [i.to_bytes(32, 'big') for i in range(500)]
    with EmbeddingCache(str(path), 'one') as cache:
        cache.put(keys, torch.randn(500, 64))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    with EmbeddingCache(str(path), 'one') as cache:
        message = r'cache of embeddings \(.*\): delete it'
        with pytest.raises(ValueError, match=message):
            [cache.get(key) for key in keys]


@pytest.mark.parametrize('place', [47, b'PRIMARY KEY', b'value'])
def test_embedding_cache_with_a_damaged_header(tmp_path: Path, place: Any) -> None:
    path = tmp_path / 'a.sqlite'
    damage(path, place)
    with (
        pytest.raises((OSError, ValueError), match=re.escape(f"'{path}' ")),
        EmbeddingCache(path, 'one') as cache,
    ):
        cache.get(KEYS[0])


def test_embedding_cache_with_a_damaged_type(tmp_path: Path) -> None:
    path = tmp_path / 'a.sqlite'
    damage(path, b'BLOB NOT NULL')  # It does not matter.
    with EmbeddingCache(path, 'one') as cache:
        assert torch.equal(cache.get(KEYS[0]), X[0])


def test_embedding_cache_that_cannot_be_written(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path / 'a.sqlite', 'one') as cache:
        cache._connection.execute('PRAGMA max_page_count = 2')
        with pytest.raises(OSError, match=r'cannot be used \(.*disk is full'):
            cache.put(KEYS, torch.ones(3, 5000))
    damage(tmp_path / 'b.sqlite', 18)
    with (
        EmbeddingCache(tmp_path / 'b.sqlite', 'one') as cache,
        pytest.raises(OSError, match=r"b.sqlite' cannot be used \(.*readonly"),
    ):
        cache.put(KEYS[:1], X)


@pytest.mark.parametrize(
    'value',
    [
        b'',
        b'1234',
        X.numpy().tobytes(),
        'text',
        'a longer text',
        17,
        lambda row: row[:-1],
        lambda row: row[:3] + bytes([row[3] ^ 1]) + row[4:],
        lambda row: row[4:],
    ],
)
def test_embedding_cache_with_damaged_rows(tmp_path: Path, value: Any) -> None:
    path = str(tmp_path / 'a.sqlite')
    with EmbeddingCache(path, 'one') as cache:
        cache.put(KEYS[:1], X)
    connection = sqlite3.connect(path)
    (row,) = connection.execute('SELECT value FROM embeddings').fetchone()
    new = value(row) if callable(value) else value
    with connection:
        connection.execute('UPDATE embeddings SET value = ?', [new])
    connection.close()
    with EmbeddingCache(path, 'one') as cache:
        assert cache.get(KEYS[0]) is None
        cache.put(KEYS[:1], X)
        assert torch.equal(cache.get(KEYS[0]), X[0])


def test_embedding_cache_with_text_of_no_encoding(tmp_path: Path) -> None:
    path = str(tmp_path / 'a.sqlite')
    with EmbeddingCache(path, 'one') as cache:
        cache.put(KEYS[:1], X)
        cache._connection.execute("UPDATE embeddings SET value = CAST(x'FF' AS TEXT)")
        assert cache.get(KEYS[0]) is None


def test_embedding_cache_with_rows_that_are_not_finite(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path / 'a.sqlite', 'one') as cache:
        cache.put(KEYS, torch.tensor([[1.0], [float('nan')], [float('inf')]]))
        assert [cache.get(key) is None for key in KEYS] == [False, True, True]


def test_embedding_cache_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'home').mkdir()
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('USERPROFILE', str(tmp_path / 'home'))
    monkeypatch.chdir(tmp_path / 'elsewhere')
    with EmbeddingCache('~/x/a.sqlite', 'one') as cache:
        assert cache.path == str(tmp_path / 'home/x/a.sqlite')
    assert (tmp_path / 'home' / 'x' / 'a.sqlite').exists()
    assert list((tmp_path / 'elsewhere').iterdir()) == []


def test_embedding_cache_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=re.escape(f"'{tmp_path}' cannot be used (")):
        EmbeddingCache(tmp_path, 'one')


def test_embedding_cache_of_another_table(tmp_path: Path) -> None:
    path = str(tmp_path / 'a.sqlite')
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE embeddings (a, b)')
    connection.close()
    with (
        EmbeddingCache(path, 'one') as cache,
        pytest.raises(OSError, match=r"a.sqlite' cannot be used \(no such column"),
    ):
        cache.get(KEYS[0])
