import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import (
    Behaviour,
    FileServer,
    breaking_after,
    chunked,
    failing,
    ignoring_range,
    redirecting,
    sending,
    stalling_after,
)

from lgmrec_pyg.datasets import DownloadError, _download, download

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
DATED = ('Last-Modified', 'Thu, 01 Jan 1970')


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(_download, 'CHUNK_SIZE', 100)
    with FileServer({'/a.bin': CONTENT}) as server:
        yield server


def fetch(server: FileServer, folder: Path, **kwargs: object) -> Path:
    path = folder / 'raw' / 'a.bin'
    options = {'progress': False, 'backoff': 0.0, 'timeout': 1.0, **kwargs}
    assert download(f'{server.url}/a.bin', str(path), **options) == str(path)
    return path


def list_files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob('*') if path.is_file()}


def test_download(server: FileServer, tmp_path: Path) -> None:
    path = fetch(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert list_files(tmp_path) == {'a.bin'}
    fetch(server, tmp_path)
    assert server.requests == [('/a.bin', None)]  # It is not downloaded again.


def test_download_shows_progress(
    server: FileServer, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    fetch(server, tmp_path, progress=True)
    assert 'a.bin: 100%' in capfd.readouterr().err


@pytest.mark.parametrize(
    ('behaviours', 'ranges'),
    [
        ([breaking_after(1000)], [None, 1000]),
        ([breaking_after(1000), breaking_after(500)], [None, 1000, 1500]),
        ([stalling_after(3000)], [None, 3000]),
        ([breaking_after(1000), ignoring_range()], [None, 1000]),
        ([breaking_after(1000), ignoring_range(2000)], [None, 1000, 2000]),
        ([failing(503)], [None, None]),
        ([failing(429, {'Retry-After': '0'})], [None, None]),
        ([breaking_after(1000), failing(500), failing(502)], [None, *[1000] * 3]),
        ([chunked()], [None]),
        ([chunked(1000)], [None, 1000]),
        ([redirecting('/a.bin', 307)], [None, None]),
        ([breaking_after(500, validator=('ETag', 'W/"weak"'))], [None, None]),
        (
            [breaking_after(900, validator=DATED), sending(validator=DATED)],
            [None, 900],
        ),
        # Whoever answers with another range, or of another file, is not trusted:
        (
            [breaking_after(900), failing(206, {'Content-Range': f'bytes 5-9/{SIZE}'})],
            [None, 900, None],
        ),
        ([breaking_after(900), failing(416)], [None, 900, None]),
    ],
)
def test_download_over_a_bad_connection(
    server: FileServer,
    tmp_path: Path,
    behaviours: list[Behaviour],
    ranges: list[int | None],
) -> None:
    server.behaviours = list(behaviours)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    starts = [r and int(r.removeprefix('bytes=')[:-1]) for _, r in server.requests]
    assert starts == ranges
    assert list_files(tmp_path) == {'a.bin'}


def interrupt(server: FileServer, folder: Path, size: int = 4000) -> Path:
    server.behaviours = [breaking_after(size), failing(404)]
    with pytest.raises(DownloadError, match=rf'404.*{size:,} bytes are kept'):
        fetch(server, folder)
    server.requests.clear()
    part = folder / 'raw' / 'a.bin.part'
    assert list_files(folder) == {'a.bin.part', 'a.bin.part.from'}
    assert part.read_bytes() == CONTENT[:size]
    return part


def test_download_continues_in_another_call(server: FileServer, tmp_path: Path) -> None:
    interrupt(server, tmp_path)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.requests == [('/a.bin', 'bytes=4000-')]
    assert list_files(tmp_path) == {'a.bin'}


@pytest.mark.parametrize('new', [CONTENT[::-1][:7000], b'short'])
def test_download_of_a_file_that_has_changed(
    server: FileServer, tmp_path: Path, new: bytes
) -> None:
    interrupt(server, tmp_path)
    server.files['/a.bin'] = new
    assert fetch(server, tmp_path).read_bytes() == new


@pytest.mark.parametrize('origin', ['', 'x\n"x"', '\xff\n', 'http://other/a.bin\n"x"'])
def test_download_distrusts_leftovers(
    server: FileServer, tmp_path: Path, origin: str
) -> None:
    part = interrupt(server, tmp_path)
    part.with_name('a.bin.part.from').write_text(origin, encoding='latin-1')
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.requests == [('/a.bin', None)]


def test_download_killed_before_the_last_step(
    server: FileServer, tmp_path: Path
) -> None:
    part = interrupt(server, tmp_path)
    part.write_bytes(CONTENT)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.requests == [('/a.bin', f'bytes={SIZE}-')]


@pytest.mark.parametrize(
    ('behaviours', 'message', 'num_requests'),
    [
        ([failing(404)], '404 Client Error: Not Found', 1),
        ([failing(204)], '204 No Content', 1),
        ([failing(500)] * 9, '500 Server Error', 3),
        ([breaking_after(0)], 'IncompleteRead', 1),
        ([redirecting('file:///etc/passwd')], 'No connection adapters', 1),
        ([redirecting('/a.bin')] * 99, 'redirects', 31),
        ([stalling_after(0)], 'timed out', 1),
    ],
)
def test_download_errors(
    server: FileServer,
    tmp_path: Path,
    behaviours: list[Behaviour],
    message: str,
    num_requests: int,
) -> None:
    server.behaviours = list(behaviours)
    with pytest.raises(DownloadError, match=message) as info:
        fetch(server, tmp_path, retries=2)
    assert str(info.value).startswith(f"'{server.url}/a.bin' could not be downloaded")
    assert len(server.requests) == num_requests
    assert 'a.bin' not in list_files(tmp_path)


@pytest.mark.parametrize('scheme', ['http', 'https'])
def test_download_without_a_connection(tmp_path: Path, scheme: str) -> None:
    # The top-level domain is reserved: it never exists.
    url = f'{scheme}://nowhere.invalid/a'
    with pytest.raises(DownloadError, match=r"'https?://nowhere\.invalid/a' could .*"):
        download(url, str(tmp_path / 'a'), backoff=0.0)
    assert list_files(tmp_path) == set()


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'ftp://a/b', 'a.bin'])
def test_download_of_other_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="'url' needs to be of HTTP or HTTPS"):
        download(url, str(tmp_path / 'a'))


@pytest.mark.parametrize('encoding', ['gzip', 'x-gzip'])
def test_download_of_a_file_that_is_compressed_itself(
    server: FileServer, tmp_path: Path, encoding: str
) -> None:
    # Some servers declare as an encoding what is the file itself.
    server.files['/a.bin'] = content = gzip.compress(os.urandom(5000))
    headers = {'Content-Encoding': encoding}
    server.behaviours = [breaking_after(900, headers=headers), sending(headers=headers)]
    assert fetch(server, tmp_path).read_bytes() == content
    assert [r for _, r in server.requests] == [None, 'bytes=900-']


KILLED = """
import sys
from lgmrec_pyg.datasets import download
download(sys.argv[1], sys.argv[2], progress=False)
"""


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_download_that_is_killed(server: FileServer, tmp_path: Path) -> None:
    server.behaviours = [stalling_after(2**17)]
    server.files['/a.bin'] = content = CONTENT * 30
    args = [f'{server.url}/a.bin', str(tmp_path / 'raw' / 'a.bin')]
    process = subprocess.Popen([sys.executable, '-c', KILLED, *args])
    part = tmp_path / 'raw' / 'a.bin.part'
    while not (part.is_file() and part.stat().st_size > 0):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert list_files(tmp_path) == {'a.bin.part', 'a.bin.part.from'}
    assert fetch(server, tmp_path).read_bytes() == content
    assert server.requests[1][1] is not None
