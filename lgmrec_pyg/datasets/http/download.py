import base64
import errno
import hashlib
import os.path as osp
import socket
import ssl
import time
from collections.abc import Callable
from http.client import HTTPException, IncompleteRead, InvalidURL
from urllib.error import HTTPError

from tqdm import tqdm

from lgmrec_pyg.datasets.http.byte_range import check_url, request
from lgmrec_pyg.datasets.http.partial_file import DownloadError, PartialFile

CHUNK_SIZE = 2**18
MAX_DELAY = 60.0
TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)
UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def download(
    url: str,
    path: str,
    *,
    sha256: str | None = None,
    check: Callable[[str], str | None] | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    retries: int = 4,
    backoff: float = 1.0,
) -> str:
    r"""Downloads a file completely or not at all.

    What was received is kept in :obj:`path + ".part"` until the file is
    complete. The next call continues there, unless the file has changed on the
    server meanwhile. A file that exists is not downloaded again.

    Args:
        url (str): The address of the file (HTTP or HTTPS).
        path (str): The path to write the file to. Missing folders are created.
        sha256 (str, optional): The SHA-256 digest of the file in hexadecimal.
            A file with another one is downloaded once more.
            (default: :obj:`None`)
        check (callable, optional): A function that takes in the path of the
            complete file, and returns what is wrong with it, if anything. A
            file with which something is, is downloaded once more.
            (default: :obj:`None`)
        progress (bool, optional): If set to :obj:`False`, will not show a
            progress bar. (default: :obj:`True`)
        timeout (float, optional): The seconds to wait for the connection, and
            for every next byte. (default: :obj:`30.0`)
        retries (int, optional): The number of times to try again without
            having received anything further. (default: :obj:`4`)
        backoff (float, optional): The seconds to wait before trying again,
            which double each time. (default: :obj:`1.0`)

    Returns:
        The path of the file.

    Raises:
        DownloadError: If the file cannot be downloaded or written.
        ValueError: If :obj:`url` is neither HTTP nor HTTPS.
    """
    check_url(url)
    sha256 = sha256.lower() if sha256 is not None else None
    if osp.isfile(path):
        if sha256 is not None and (digest := _digest(path, 'sha256')) != sha256:
            raise DownloadError(
                f"'{path}' needs to have the SHA-256 digest {sha256} (got {digest}): "
                f'delete it, and it is downloaded again'
            )
        return path
    with PartialFile(url, path) as partial:
        for _ in range(2):
            _receive(partial, progress, timeout, retries, backoff)
            problem = _find_problem(partial, sha256, check)
            if problem is None:
                return partial.publish()
            partial.restart()
    raise DownloadError(f"'{url}' was downloaded twice, and {problem}")


def _receive(
    partial: PartialFile, progress: bool, timeout: float, retries: int, backoff: float
) -> None:
    start = most = partial.size
    failures = 0
    while not partial.is_complete:
        try:
            _receive_rest(partial, progress, timeout)
            break
        except DownloadError:
            raise
        except (OSError, HTTPException) as error:
            failures = 1 if partial.size > most else failures + 1
            most = max(most, partial.size)
            if failures > retries or not _is_transient(error, most > start):
                raise _download_error(partial, error) from error
            time.sleep(_delay(error, backoff * 2 ** (failures - 1)))


def _receive_rest(partial: PartialFile, progress: bool, timeout: float) -> None:
    answer = request(partial.url, partial.size, partial.validator, timeout)
    with answer.stream:
        partial.accept(answer)
        with tqdm(
            desc=osp.basename(partial.path),
            total=partial.total,
            initial=partial.size,
            unit='B',
            unit_scale=True,
            disable=not progress,
        ) as bar:
            # Unlike `read`, `read1` loses nothing when the connection breaks:
            while chunk := answer.stream.read1(CHUNK_SIZE):
                partial.write(chunk)
                bar.update(len(chunk))
    if partial.total is not None and partial.size != partial.total:
        raise IncompleteRead(b'', partial.total - partial.size)


def _is_transient(error: Exception, has_progressed: bool) -> bool:
    if isinstance(error, HTTPError):
        return error.code in TRANSIENT_STATUS
    reason = getattr(error, 'reason', error)
    if isinstance(reason, socket.gaierror) or (
        isinstance(reason, OSError) and reason.errno in UNREACHABLE
    ):
        return has_progressed  # Otherwise, there is no connection.
    return not isinstance(reason, (InvalidURL, ssl.SSLCertVerificationError))


def _delay(error: Exception, seconds: float) -> float:
    if isinstance(error, HTTPError):
        after = (error.headers.get('Retry-After') or '').strip()
        seconds = max(seconds, float(after) if after.isdecimal() else 0.0)
    return min(seconds, MAX_DELAY)


def _download_error(partial: PartialFile, error: Exception) -> DownloadError:
    reason = getattr(error, 'reason', None) or error or type(error).__name__
    if isinstance(error, HTTPError):
        reason = f'{error.code} {error.reason}'
    if isinstance(error, IncompleteRead) and partial.total is not None:
        reason = f'the server sent {partial.size:,} of {partial.total:,} bytes'
    kept = f': {partial.size:,} bytes are kept' if partial.size > 0 else ''
    return DownloadError(f"'{partial.url}' could not be downloaded ({reason}){kept}")


def _find_problem(
    partial: PartialFile, sha256: str | None, check: Callable[[str], str | None] | None
) -> str | None:
    if sha256 is not None:
        digest = _digest(partial.part, 'sha256')
        if digest != sha256:
            return f'had the SHA-256 digest {digest} instead of {sha256}'
    if partial.md5 is not None:
        raw = bytes.fromhex(_digest(partial.part, 'md5'))
        if base64.b64encode(raw).decode() != partial.md5.strip():
            return f"had the MD5 digest {raw.hex()}, unlike its 'Content-MD5'"
    problem = check(partial.part) if check is not None else None
    return None if problem is None else f'was damaged ({problem})'


def _digest(path: str, algorithm: str) -> str:
    # Spelled out for Python 3.10, which lacks `hashlib.file_digest`.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, 'rb') as file:
        while chunk := file.read(CHUNK_SIZE):
            digest.update(chunk)
    return digest.hexdigest()
