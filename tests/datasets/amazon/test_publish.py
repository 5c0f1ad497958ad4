import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lgmrec_pyg.datasets.amazon import publish
from lgmrec_pyg.datasets.amazon.publish import (
    finish_publishing,
    locked,
    publish_together,
)

NAMES = ['a.inter', 'b.npy', 'c.txt']


def write(folder: str, text: str) -> None:
    for name in NAMES:
        (Path(folder) / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_publish_together(tmp_path: Path) -> None:
    (tmp_path / 'raw').mkdir()
    for text in ['first', 'second']:
        with publish_together(str(tmp_path), last='a.inter') as staged:
            write(staged, text)
            assert text not in {read(tmp_path).get(name) for name in NAMES}
        assert read(tmp_path) == dict.fromkeys(NAMES, text)
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES, 'raw'}


def test_publish_together_all_or_nothing(tmp_path: Path) -> None:
    write(str(tmp_path), 'old')

    def interrupt() -> None:
        with publish_together(str(tmp_path), last='a.inter') as staged:
            write(staged, 'new')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert read(tmp_path) == dict.fromkeys(NAMES, 'old')


KILLED = """
import os, runpy, sys

path, folder, step = *sys.argv[1:3], int(sys.argv[3])

def kill(function):
    def killed(*args):
        global step
        step -= 1
        if step < 0:
            os.kill(os.getpid(), 9)
        return function(*args)
    return killed

for name in ('rename', 'replace', 'rmdir', 'fsync'):
    setattr(os, name, kill(getattr(os, name)))
with runpy.run_path(path)['publish_together'](folder, last='a.inter') as staged:
    for name in ('a.inter', 'b.npy', 'c.txt'):
        with open(os.path.join(staged, name), 'w') as file:
            file.write('new')
"""


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_publish_together_when_killed(tmp_path: Path) -> None:
    # Three files are synchronized, then the folder is renamed, then they move.
    folders = [tmp_path / str(step) for step in range(8)]
    processes = []
    for step, folder in enumerate(folders):
        folder.mkdir()
        write(str(folder), 'old')
        args = [sys.executable, '-c', KILLED, publish.__file__, str(folder), str(step)]
        processes.append(subprocess.Popen(args))
    for step, (folder, process) in enumerate(zip(folders, processes, strict=True)):
        assert process.wait(60) == -9
        if step > 3:
            inter = (folder / 'a.inter').read_text()
            others = {(folder / name).read_text() for name in NAMES[1:]}
            assert inter == 'old' or others == {'new'}
        finish_publishing(str(folder), last='a.inter')
        published = {name: (folder / name).read_text() for name in NAMES}
        assert published == dict.fromkeys(NAMES, 'new' if step > 3 else 'old')
        with publish_together(str(folder), last='a.inter') as staged:
            write(staged, 'newer')
        assert read(folder) == dict.fromkeys(NAMES, 'newer')


@pytest.mark.skipif(os.name != 'posix', reason='needs locks')
def test_locked(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    folder = str(tmp_path / 'raw')
    order = []

    def enter(name: str) -> None:
        with locked(folder):
            order.append(name)
            time.sleep(0.2)
            order.append(name)

    threads = [threading.Thread(target=enter, args=(name,)) for name in 'ab']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order in [list('aabb'), list('bbaa')]
    assert 'Waiting for another process that prepares' in capfd.readouterr().err
