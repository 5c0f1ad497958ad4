r"""Downloads that resume. :obj:`requests` reaches the server, follows redirects and
tries again; what it lacks is to continue a file where the connection broke.
"""

import os
import os.path as osp
from contextlib import suppress
from typing import TYPE_CHECKING

from tqdm import tqdm

from lgmrec_pyg.storage.atomic import locked

if TYPE_CHECKING:
    from requests import Response, Session

CHUNK_SIZE = 2**16
TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(OSError):
    r"""A file could not be downloaded."""


def download(
    url: str,
    path: str,
    *,
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
        progress (bool, optional): If set to :obj:`False`, will not show a
            progress bar. (default: :obj:`True`)
        timeout (float, optional): The seconds to wait for the connection, and
            for every next byte. (default: :obj:`30.0`)
        retries (int, optional): The number of times to try again to reach the
            server. (default: :obj:`4`)
        backoff (float, optional): The factor of the seconds to wait before
            trying again, which double each time. (default: :obj:`1.0`)

    Returns:
        The path of the file.

    Raises:
        DownloadError: If the file cannot be downloaded.
        ValueError: If :obj:`url` is neither HTTP nor HTTPS.
    """
    from requests import ConnectionError, RequestException, Session, Timeout  # noqa: A004
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import HTTPError
    from urllib3.util import Retry

    if not url.startswith(('http://', 'https://')):
        raise ValueError(f"'url' needs to be of HTTP or HTTPS (got '{url}')")
    part = f'{path}.part'
    folder = osp.dirname(osp.abspath(path))
    os.makedirs(folder, exist_ok=True)
    again = Retry(
        retries,
        backoff_factor=backoff,
        status_forcelist=TRANSIENT_STATUS,
        raise_on_status=False,
    )
    with locked(folder), Session() as session:
        for scheme in ('http://', 'https://'):
            session.mount(scheme, HTTPAdapter(max_retries=again))
        while not osp.isfile(path):
            size = _size(part)
            try:
                _receive_rest(session, url, part, progress, timeout)
                os.replace(part, path)
            except (RequestException, HTTPError) as error:
                if _size(part) <= size:
                    is_far = isinstance(error, (ConnectionError, Timeout))
                    verb = 'reached' if is_far else 'downloaded'
                    raise DownloadError(
                        f"'{url}' could not be {verb} ({error}): {_size(part):,} "
                        f'bytes are kept. Check the connection, and run again'
                    ) from error
    with suppress(FileNotFoundError):
        os.remove(f'{part}.from')
    return path


def _receive_rest(
    session: 'Session', url: str, part: str, progress: bool, timeout: float
) -> None:
    from requests import HTTPError

    start, known = _size(part), _read_validator(url, part)
    # Servers may compress what they send, unless they are asked not to:
    headers = {'Accept-Encoding': 'identity'}
    if start > 0 and known:
        headers |= {'Range': f'bytes={start}-', 'If-Range': known}
    with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
        sent = response.headers.get('Content-Range', '')
        resumes = sent.startswith(f'bytes {start}-') and _validator(response) == known
        if 'Range' in headers and response.status_code in (206, 416) and not resumes:
            if sent != f'bytes */{start}':  # It is not complete already.
                os.remove(part)
                _receive_rest(session, url, part, progress, timeout)
            return
        response.raise_for_status()
        if response.status_code != 200 and not resumes:
            raise HTTPError(f'{response.status_code} {response.reason}')
        total = _write(response, url, part, start if resumes else 0, progress)
    if total not in (None, _size(part)):
        raise HTTPError(f'{_size(part):,} of {total:,} bytes were sent')


def _write(
    response: 'Response', url: str, part: str, start: int, progress: bool
) -> int | None:
    length = response.headers.get('Content-Length', '')
    total = start + int(length) if length.isdecimal() else None
    name = osp.basename(part).removesuffix('.part')
    options = {'desc': name, 'initial': start, 'disable': not progress}
    with (
        open(part, 'ab' if start > 0 else 'wb') as file,
        tqdm.wrapattr(file, 'write', total, **options) as out,
    ):
        with open(f'{part}.from', 'w', encoding='latin-1', errors='replace') as note:
            note.write(f'{url}\n{_validator(response)}')
        # Decoding would unpack files that servers declare as compressed:
        for chunk in response.raw.stream(CHUNK_SIZE, decode_content=False):
            out.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return total


def _validator(response: 'Response') -> str:
    tag = response.headers.get('ETag', '')
    return tag if tag.startswith('"') else response.headers.get('Last-Modified', '')


def _read_validator(url: str, part: str) -> str:
    if not osp.isfile(f'{part}.from'):
        return ''
    with open(f'{part}.from', encoding='latin-1') as note:
        origin, _, validator = note.read().partition('\n')
    return validator if origin == url else ''


def _size(path: str) -> int:
    return osp.getsize(path) if osp.isfile(path) else 0
