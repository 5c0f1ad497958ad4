import errno
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import (
    Behaviour,
    FileServer,
    Handler,
    breaking_after,
    chunked,
    corrupting,
    failing,
    ignoring_range,
    redirecting,
    send,
    sending,
    stalling_after,
)

from lgmrec_pyg.datasets.http.download import DownloadError, download

ROOT = Path(__file__).parents[3]
CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
QUICK = {'progress': False, 'backoff': 0.0, 'timeout': 0.2}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({'/a.bin': CONTENT}) as server:
        yield server


def fetch(server: FileServer, folder: Path, **kwargs: object) -> Path:
    path = folder / 'raw' / 'a.bin'
    url = f'{server.url}/a.bin'
    assert download(url, str(path), **{**QUICK, **kwargs}) == str(path)
    return path


def sending_length(length: str) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header('Content-Length', length)
        handler.end_headers()

    return behave


def list_files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob('*') if path.is_file()}


def test_download(server: FileServer, tmp_path: Path) -> None:
    path = fetch(server, tmp_path, sha256=DIGEST.upper())
    assert path.read_bytes() == CONTENT
    assert list_files(tmp_path) == {'a.bin'}
    fetch(server, tmp_path)
    assert server.requests == [('/a.bin', None)]  # It is not downloaded again.


def test_download_shows_progress(
    server: FileServer, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    fetch(server, tmp_path, progress=True)
    assert 'a.bin: 100%' in capfd.readouterr().err
    (tmp_path / 'raw' / 'a.bin').unlink()
    fetch(server, tmp_path)
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize(
    ('behaviours', 'ranges'),
    [
        ([breaking_after(1000)], [None, 1000]),
        ([breaking_after(1000), breaking_after(500)], [None, 1000, 1500]),
        ([breaking_after(0)], [None, None]),
        ([stalling_after(3000)], [None, 3000]),
        ([breaking_after(1000), ignoring_range()], [None, 1000]),
        ([breaking_after(1000), ignoring_range(2000)], [None, 1000, 2000]),
        ([failing(503)], [None, None]),
        ([failing(429, {'Retry-After': '0'})], [None, None]),
        ([breaking_after(1000), failing(500), failing(502)], [None, *[1000] * 3]),
        ([chunked()], [None]),
        ([chunked(1000)], [None, 1000]),
        ([breaking_after(5, validator=('ETag', 'W/"weak"'))], [None, None]),
        (
            [
                breaking_after(9, validator=('Last-Modified', 'Thu, 01 Jan 1970')),
                sending(validator=('Last-Modified', 'Thu, 01 Jan 1970')),
            ],
            [None, 9],
        ),
        # Whoever ignores `If-Range`, or answers with another range, is not trusted:
        (
            [
                breaking_after(9, validator=('ETag', '"old"')),
                sending(headers={'ETag': '"new"'}, validator=('ETag', '"old"')),
            ],
            [None, 9],
        ),
        (
            [
                breaking_after(9),
                failing(206, {'Content-Range': f'bytes 5-9/{SIZE}'}),
            ],
            [None, 9, None],
        ),
        *(
            (
                [breaking_after(9), failing(206, {'Content-Range': f'bytes {place}'})],
                [None, 9, None],
            )
            for place in ('9' * 5000 + '-9/10', '9-99/' + '9' * 5000)
        ),
        ([breaking_after(9), failing(206)], [None, 9, None]),
        ([breaking_after(9), failing(416)], [None, 9, None]),
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


def test_download_counts_failures_without_progress(
    server: FileServer, tmp_path: Path
) -> None:
    server.behaviours = [breaking_after(100) for _ in range(50)]
    fetch(server, tmp_path, retries=1)
    assert len(server.requests) == 51

    (tmp_path / 'raw' / 'a.bin').unlink()
    server.requests.clear()
    server.behaviours = [ignoring_range(100) for _ in range(50)]
    message = rf'the server sent 100 of {SIZE:,} bytes\): 100 bytes are kept'
    with pytest.raises(DownloadError, match=message):
        fetch(server, tmp_path, retries=3)
    assert len(server.requests) == 4


def test_download_continues_in_another_call(server: FileServer, tmp_path: Path) -> None:
    server.behaviours = [breaking_after(4000), breaking_after(1000)]
    for size in [4000, 5000]:
        with pytest.raises(DownloadError, match=f'{size:,} bytes are kept'):
            fetch(server, tmp_path, retries=0)
        assert list_files(tmp_path) == {'a.bin.part', 'a.bin.part.json'}
        assert (tmp_path / 'raw' / 'a.bin.part').read_bytes() == CONTENT[:size]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r for _, r in server.requests] == [None, 'bytes=4000-', 'bytes=5000-']
    assert list_files(tmp_path) == {'a.bin'}


def test_download_of_a_file_that_has_changed(
    server: FileServer, tmp_path: Path
) -> None:
    server.behaviours = [breaking_after(4000)]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path, retries=0)
    server.files['/a.bin'] = new = CONTENT[::-1][:7000]
    assert fetch(server, tmp_path).read_bytes() == new

    server.behaviours = [breaking_after(4000)]
    (tmp_path / 'raw' / 'a.bin').unlink()
    with pytest.raises(DownloadError):
        fetch(server, tmp_path, retries=0)
    server.files['/a.bin'] = new = b'short'
    assert fetch(server, tmp_path).read_bytes() == new


@pytest.mark.parametrize('state', [None, '', '[]', '{"url": 3}', 'other url'])
def test_download_distrusts_leftovers(
    server: FileServer, tmp_path: Path, state: str | None
) -> None:
    part = tmp_path / 'raw' / 'a.bin.part'
    part.parent.mkdir()
    part.write_bytes(b'other content')
    if state is not None:
        if state == 'other url':
            state = json.dumps({'url': 'http://x', 'validator': '"x"', 'total': 99})
        part.with_suffix('.part.json').write_text(state)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r for _, r in server.requests] == [None]


@pytest.mark.parametrize(
    'damage',
    [
        {'validator': ['x']},
        {'validator': 'x\r\nX-Other: 1'},
        {'validator': '"€"'},
        {'validator': 3},
        {'md5': 5},
        {'total': 'abc'},
        {'total': 1.5},
        {'total': True},
    ],
)
def test_download_distrusts_damaged_leftovers(
    server: FileServer, tmp_path: Path, damage: dict
) -> None:
    server.behaviours = [breaking_after(4000)]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path, retries=0)
    path = tmp_path / 'raw' / 'a.bin.part.json'
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, **damage}))
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r for _, r in server.requests] == [None, None]


def test_download_killed_before_the_last_step(
    server: FileServer, tmp_path: Path
) -> None:
    server.behaviours = [breaking_after(SIZE - 1)]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path, retries=0)
    with (tmp_path / 'raw' / 'a.bin.part').open('ab') as file:
        file.write(CONTENT[-1:])
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_download_with_checksum(server: FileServer, tmp_path: Path) -> None:
    server.behaviours = [corrupting]
    assert fetch(server, tmp_path, sha256=DIGEST).read_bytes() == CONTENT
    assert len(server.requests) == 2
    path = tmp_path / 'raw' / 'a.bin'
    path.write_bytes(b'something else')
    with pytest.raises(DownloadError, match=r'needs to have the SHA-256.*: delete it'):
        fetch(server, tmp_path, sha256=DIGEST)

    path.unlink()
    message = f'downloaded twice, and had the SHA-256 digest {DIGEST} instead of 00'
    with pytest.raises(DownloadError, match=message):
        fetch(server, tmp_path, sha256='00')
    assert list_files(tmp_path) == set()


def test_download_with_content_md5(server: FileServer, tmp_path: Path) -> None:
    md5 = b64encode(hashlib.md5(CONTENT).digest()).decode()
    server.behaviours = [breaking_after(99, headers={'Content-MD5': md5}), corrupting]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r for _, r in server.requests] == [None, 'bytes=99-', None]


def test_download_with_check(server: FileServer, tmp_path: Path) -> None:
    def find_problem(path: str) -> str | None:
        return None if Path(path).read_bytes() == CONTENT else 'no gzip file'

    server.behaviours = [corrupting]
    fetch(server, tmp_path, check=find_problem)
    (tmp_path / 'raw' / 'a.bin').unlink()
    server.behaviours = [corrupting, corrupting]
    with pytest.raises(DownloadError, match=r'was damaged \(no gzip file\)'):
        fetch(server, tmp_path, check=find_problem)
    assert list_files(tmp_path) == set()


def test_download_follows_redirects(server: FileServer, tmp_path: Path) -> None:
    target = f'{server.url}/a.bin'
    server.files['/b.bin'] = b'what was moved'
    for i, status in enumerate([301, 302, 303, 307, 308]):
        server.behaviours = [redirecting(target, status)]
        path = str(tmp_path / str(i))
        download(f'{server.url}/b.bin', path, **QUICK)
        assert Path(path).read_bytes() == CONTENT
    server.behaviours = [
        breaking_after(99),
        redirecting('/a.bin', 307),
    ]
    server.requests.clear()
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r for _, r in server.requests] == [None, 'bytes=99-', 'bytes=99-']


@pytest.mark.parametrize(
    ('behaviours', 'message', 'num_requests'),
    [
        ([failing(404)], '404 Not Found', 1),
        ([failing(403)], '403 Forbidden', 1),
        ([redirecting('file:///etc/passwd')], 'not allowed', 1),
        ([redirecting('ftp://127.0.0.1/a')], "to 'ftp://127.0.0.1/a' is not foll", 1),
        ([redirecting(f'/a.bin?{i}') for i in range(20)], 'infinite loop', 6),
        ([redirecting('http://[bad/')], 'Invalid IPv6 URL', 1),
        ([redirecting(f'http://{"a" * 70}.com/')], 'label empty or too long', 1),
        ([sending_length('9' * 5000)], '200 OK, but of a length of 5,000 digits', 1),
        ([failing(500)] * 9, '500 Internal Server Error', 3),
        ([stalling_after(0)] * 9, 'timed out', 3),
    ],
)
def test_download_errors(
    server: FileServer,
    tmp_path: Path,
    behaviours: list[Behaviour],
    message: str,
    num_requests: int,
) -> None:
    server.files |= {f'/a.bin?{i}': CONTENT for i in range(20)}
    server.behaviours = list(behaviours)
    with pytest.raises(DownloadError, match=message) as info:
        fetch(server, tmp_path, retries=2)
    assert str(info.value).startswith(f"'{server.url}/a.bin' could not be downloaded")
    assert len(server.requests) == num_requests
    assert list_files(tmp_path) == set()


def test_download_without_a_connection(tmp_path: Path) -> None:
    # The top-level domain is reserved: it never exists.
    start = time.perf_counter()
    with pytest.raises(DownloadError, match=r"'http://nowhere\.invalid/a' could not"):
        download('http://nowhere.invalid/a', str(tmp_path / 'a'), backoff=60.0)
    assert time.perf_counter() - start < 30
    assert list_files(tmp_path) == set()


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'ftp://a/b', 'a.bin', 'http://'])
def test_download_of_other_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="'url' needs to start with"):
        download(url, str(tmp_path / 'a'))
    assert list_files(tmp_path) == set()


def test_download_that_exceeds_the_disk(server: FileServer, tmp_path: Path) -> None:
    def announce(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header('Content-Length', str(10**17))
        handler.end_headers()

    server.behaviours = [announce]
    with pytest.raises(DownloadError, match='free some space on this disk') as info:
        fetch(server, tmp_path)
    assert info.value.errno == errno.ENOSPC
    assert len(server.requests) == 1
    assert list_files(tmp_path) == set()


# The packages above the module import PyTorch, which takes seconds.
IMPORT = f"""
import sys, types
for name in ['lgmrec_pyg', 'lgmrec_pyg.datasets', 'lgmrec_pyg.storage']:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [{str(ROOT)!r} + '/' + name.replace('.', '/')]
from lgmrec_pyg.datasets.http.download import download
"""
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
download(sys.argv[1], sys.argv[2], progress=False)
"""


@pytest.mark.skipif(os.name != 'posix', reason='needs limits on the size of files')
def test_download_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    args = [f'{server.url}/a.bin', str(tmp_path / 'a.bin')]
    out = subprocess.run(
        [sys.executable, '-c', IMPORT + LIMITED, *args], capture_output=True, text=True
    )
    assert "a.bin' cannot be downloaded (File too large)" in out.stderr
    part = (tmp_path / 'a.bin.part').read_bytes()
    assert part == CONTENT[: len(part)]
    download(*args, **QUICK)
    assert (tmp_path / 'a.bin').read_bytes() == CONTENT


def test_download_into_a_folder_that_is_a_file(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / 'raw').touch()
    with pytest.raises(DownloadError, match=r'choose a folder whose path leads'):
        fetch(server, tmp_path)


KILLED = """
import os, threading, time

def kill():
    while not os.path.exists(sys.argv[2] + '.part.json'):
        time.sleep(0.001)
    os.kill(os.getpid(), 9)

threading.Thread(target=kill).start()
download(sys.argv[1], sys.argv[2], progress=False)
"""


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_download_that_is_killed(server: FileServer, tmp_path: Path) -> None:
    server.behaviours = [stalling_after(3000)]
    args = [f'{server.url}/a.bin', str(tmp_path / 'a.bin')]
    out = subprocess.run(
        [sys.executable, '-c', IMPORT + KILLED, *args], capture_output=True
    )
    assert out.returncode == -9
    assert list_files(tmp_path) >= {'a.bin.part', 'a.bin.part.json'}
    download(*args, **QUICK)
    assert list_files(tmp_path) == {'a.bin'}
    assert (tmp_path / 'a.bin').read_bytes() == CONTENT


@pytest.mark.skipif(os.name != 'posix', reason='needs locks')
def test_download_by_two_processes(server: FileServer, tmp_path: Path) -> None:
    import fcntl

    part = tmp_path / 'raw' / 'a.bin.part'
    part.parent.mkdir()
    with part.open('ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match='is being downloaded by another'):
            fetch(server, tmp_path)
    assert fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize('status', [201, 203, 204])
def test_download_of_an_answer_without_the_file(
    server: FileServer, tmp_path: Path, status: int
) -> None:
    for behaviours, kept in [([], ''), ([breaking_after(4000)], '4,000 bytes are k')]:
        server.behaviours = [*behaviours, failing(status)]
        with pytest.raises(DownloadError, match=rf'\({status} [A-Z].*\).*{kept}'):
            fetch(server, tmp_path)
        assert len(list_files(tmp_path)) == (2 if kept else 0)
    assert (tmp_path / 'raw' / 'a.bin.part').read_bytes() == CONTENT[:4000]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize('encoding', ['gzip', 'x-gzip', 'br', 'identity, gzip'])
def test_download_of_an_encoded_answer(
    server: FileServer, tmp_path: Path, encoding: str
) -> None:
    def compress(handler: Handler, content: bytes) -> None:
        requested.append(handler.headers.get('Accept-Encoding'))
        send(handler, gzip.compress(content), headers={'Content-Encoding': encoding})

    requested: list[str | None] = []
    server.behaviours = [breaking_after(4000), compress]
    message = re.escape(f"(200 OK, but encoded as '{encoding}'): 4,000 bytes are kept")
    with pytest.raises(DownloadError, match=message):
        fetch(server, tmp_path)
    assert requested == ['identity']
    assert (tmp_path / 'raw' / 'a.bin.part').read_bytes() == CONTENT[:4000]
    server.behaviours = [sending(headers={'Content-Encoding': 'identity'})]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize('encoding', ['gzip', 'x-gzip'])
def test_download_of_a_file_that_is_compressed_itself(
    server: FileServer, tmp_path: Path, encoding: str
) -> None:
    # Some servers declare as an encoding what is the file itself.
    server.files['/a.json.gz'] = content = gzip.compress(CONTENT)
    headers = {'Content-Encoding': encoding}
    server.behaviours = [breaking_after(9, headers=headers), sending(headers=headers)]
    path = str(tmp_path / 'a')
    download(f'{server.url}/a.json.gz', path, **QUICK)
    assert Path(path).read_bytes() == content
    assert [r for _, r in server.requests] == [None, 'bytes=9-']
