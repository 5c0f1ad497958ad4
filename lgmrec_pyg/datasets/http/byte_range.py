import re
import urllib.request
from email.message import Message
from http.client import HTTPException, HTTPResponse, InvalidURL
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request

SCHEMES = ('http', 'https')
MAX_REDIRECTS = 5
MAX_DIGITS = 18
CONTENT_RANGE = re.compile(r'bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)')


class Answer(NamedTuple):
    r"""What a server answers to a request for a file, or for its rest.

    Args:
        stream (HTTPResponse): The bytes that the server sends.
        start (int): The position of the first one in the file, zero in case
            the server sends the whole file, whatever was asked for.
        total (int, optional): The size of the whole file, if it is known.
        validator (str, optional): What changes along with the file: its strong
            entity tag, or the time of its last modification.
        md5 (str, optional): The MD5 digest of the whole file in Base64.
    """

    stream: HTTPResponse
    start: int
    total: int | None
    validator: str | None
    md5: str | None


def request(
    url: str, start: int = 0, validator: str | None = None, timeout: float = 30.0
) -> Answer:
    r"""Requests a file via HTTP, and only its rest in case it is unchanged.

    Follows a limited number of redirects, to HTTP and HTTPS alone, and never
    from the latter to the former.

    Args:
        url (str): The address of the file.
        start (int, optional): The position of the first byte to send.
            (default: :obj:`0`)
        validator (str, optional): The :obj:`validator` of the answer that the
            bytes before :obj:`start` come from. Without one, the whole file is
            requested. (default: :obj:`None`)
        timeout (float, optional): The seconds to wait for the connection, and
            for every next byte. (default: :obj:`30.0`)

    Raises:
        ValueError: If :obj:`url` is neither HTTP nor HTTPS.
        OSError: If the server cannot be reached, reports an error, or sends
            something else than the bytes of the file.
        HTTPException: If the answer is malformed.
    """
    check_url(url)
    if start == 0 or validator is None:
        answer = _open(url, {}, timeout)
        if answer.start != 0:
            answer.stream.close()
            raise HTTPException('a part of the file was sent, without a request for it')
        return answer
    try:
        headers = {'Range': f'bytes={start}-', 'If-Range': validator}
        answer = _open(url, headers, timeout)
        if answer.start == 0 or (answer.start, answer.validator) == (start, validator):
            return answer
        answer.stream.close()
    except HTTPError as error:
        error.close()
        if error.code != 416:  # The file ends before the range.
            raise
    return request(url, timeout=timeout)


def check_url(url: str) -> None:
    r"""Checks that an address is one of HTTP or HTTPS.

    Args:
        url (str): The address.

    Raises:
        ValueError: If it is another one.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError(
            f"'url' needs to start with 'http://' or 'https://' and a host (got "
            f"'{url}')"
        )


def _open(url: str, headers: dict[str, str], timeout: float) -> Answer:
    headers = {'User-Agent': 'lgmrec_pyg', 'Accept-Encoding': 'identity', **headers}
    opener = urllib.request.build_opener(_Redirects)
    try:
        stream = opener.open(Request(url, headers=headers), timeout=timeout)
    except ValueError as error:  # Of an address that none can have.
        raise InvalidURL(str(error)) from error
    _check_answer(url, stream)
    start, total = 0, _to_int(stream.headers.get('Content-Length'))
    if stream.status == 206:
        text = stream.headers.get('Content-Range', '')
        match = CONTENT_RANGE.fullmatch(text.strip())
        # An answer in several parts, or with an unknown one, is of no use:
        start = int(match[1]) if match else -1
        total = _to_int(match[2]) if match else None
    md5 = stream.headers.get('Content-MD5') if stream.status == 200 else None
    return Answer(stream, start, total, _find_validator(stream.headers), md5)


def _check_answer(url: str, stream: HTTPResponse) -> None:
    codings = ', '.join(stream.headers.get_all('Content-Encoding', []))
    # Apache declares as such what a file itself is:
    own = ('gzip', 'x-gzip') if urlsplit(url).path.endswith('.gz') else ()
    reason = None if stream.status in (200, 206) else stream.reason
    if reason is None and codings.strip().lower() not in ('', 'identity', *own):
        reason = f"{stream.reason}, but encoded as '{codings}'"
    length = stream.headers.get('Content-Length', '').strip()
    if reason is None and len(length) > MAX_DIGITS:
        reason = f'{stream.reason}, but of a length of {len(length):,} digits'
    if reason is not None:
        stream.close()
        raise HTTPError(url, stream.status, reason, stream.headers, stream)


def _find_validator(headers: Message) -> str | None:
    tag = headers.get('ETag', '')
    return tag if tag.startswith('"') else headers.get('Last-Modified')


def _to_int(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


class _Redirects(HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS

    # Python 3.10 does not know this status, which is like 307.
    http_error_308 = HTTPRedirectHandler.http_error_302

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        schemes = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if schemes[1] not in SCHEMES or schemes == ('https', 'http'):
            reason = f"{msg}, but its redirect to '{newurl}' is not followed"
            raise HTTPError(req.full_url, code, reason, headers, fp)
        code = 307 if code == 308 else code
        return super().redirect_request(req, fp, code, msg, headers, newurl)
