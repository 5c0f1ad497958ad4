r"""Pages in a real browser."""

import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
FLAGS = (
    '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run '
    '--disable-background-networking --disable-component-update --disable-sync '
    '--disable-dev-shm-usage --enable-logging=stderr --virtual-time-budget=20000'
)


class Page(NamedTuple):
    r"""The document after its scripts ran, and what they wrote to the console."""

    dom: str
    console: list[str]


def browse(path, profile, *flags) -> Page:
    r"""Opens a file, with a new profile; skips the test where there is no browser."""
    found = [x for x in map(shutil.which, NAMES) if x is not None]
    if not found:
        pytest.skip('needs chromium')
    flags = (*FLAGS.split(), *flags, f'--user-data-dir={profile}', '--dump-dom')
    command = [found[0], *flags, path.as_uri()]
    out = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if out.returncode != 0:
        pytest.skip(f'chromium does not start here ({out.stderr[-300:]})')
    console = [x for x in out.stderr.splitlines() if re.search(r'CONSOLE', x)]
    return Page(out.stdout, console)
