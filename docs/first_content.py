r"""Measures the start page in a real browser: the time to its first content, what it
loads, and whether the console stays silent.

    python docs/first_content.py docs/_build

Needs Chromium (Debian, Ubuntu: ``apt install chromium``).
"""

import argparse
import functools
import gzip
import shutil
import subprocess
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
FLAGS = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--enable-logging=stderr',
    '--window-size=1280,900',
]
REPORT = (
    '<script>new PerformanceObserver(list => list.getEntries().forEach(entry => '
    "entry.name == 'first-contentful-paint' && fetch('/report?ms=' + entry.startTime)"
    ")).observe({type: 'paint', buffered: true})</script>"
)


class Handler(SimpleHTTPRequestHandler):
    r"""Serves a site, and takes down what it served and what the page reports."""

    served: dict[str, bytes]
    times: list[float]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == '/report':
            self.times.append(float(parse_qs(url.query)['ms'][0]))
            self.send_response(204)
            self.end_headers()
            return
        path = Path(self.translate_path(url.path))
        path = path / 'index.html' if path.is_dir() else path
        if not path.exists():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.served[url.path] = body
        self.send_response(200)
        self.send_header('Content-Type', self.guess_type(path))
        self.end_headers()
        if url.path == '/':
            body = body.replace(b'</head>', REPORT.encode() + b'</head>')
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def visit(browser: str, url: str) -> list[str]:
    r"""Opens a page in a browser that has never seen it; returns what it logs."""
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run(
            [
                browser,
                *FLAGS,
                f'--user-data-dir={folder}',
                '--screenshot=page.png',
                url,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return [line for line in out.stderr.splitlines() if 'CONSOLE' in line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('site', type=Path, help='the folder of the built pages')
    parser.add_argument('--visits', type=int, default=7)
    args = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit("No Chromium found: 'apt install chromium'")
    Handler.served, Handler.times = {}, []
    handler = functools.partial(Handler, directory=args.site)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_address[1]}/'
        console = [line for _ in range(args.visits) for line in visit(browser, url)]
        server.shutdown()
    sizes = {path: len(body) for path, body in Handler.served.items()}
    packed = sum(len(gzip.compress(body)) for body in Handler.served.values())
    for path, size in sorted(sizes.items(), key=lambda x: -x[1]):
        print(f'{size / 1024:8.1f} KiB  {path}')
    print(
        f'{sum(sizes.values()) / 1024:8.1f} KiB in all, {packed / 1024:.1f} compressed'
    )
    print(
        f'First content after {median(Handler.times):.0f} ms, the median of '
        f'{len(Handler.times)} visits ({min(Handler.times):.0f} to '
        f'{max(Handler.times):.0f}), without a cache'
    )
    if console:
        raise SystemExit('\n'.join(console))


if __name__ == '__main__':
    main()
