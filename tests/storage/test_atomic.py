import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lgmrec_pyg.storage import atomic_write

PACKAGE = Path(__file__).parents[2]


def write(path, text):
    with atomic_write(path) as partial, open(partial, 'w') as file:
        file.write(text)


def names(folder):
    return sorted(os.listdir(folder))


@pytest.fixture
def small_disk(tmp_path):
    r"""A disk of 64 kB, which fills up like any other."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('needs the right to mount a disk')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)


def test_writes_and_replaces(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'run.json'
    write(path, 'old')
    write(str(path), 'new')
    assert path.read_text() == 'new'
    assert names(path.parent) == ['run.json']


def test_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / 'plain').write_text('')
    write(tmp_path / 'atomic', '')
    modes = [stat.S_IMODE((tmp_path / x).stat().st_mode) for x in ('plain', 'atomic')]
    assert modes[0] == modes[1]


def test_old_file_is_there_until_the_end(tmp_path):
    path = tmp_path / 'run.json'
    write(path, 'old')
    with atomic_write(path) as partial:
        Path(partial).write_text('new')
        assert path.read_text() == 'old'
        assert Path(partial).parent == tmp_path
        assert partial.endswith('.tmp')
    assert path.read_text() == 'new'


def test_relative_paths_do_not_move_with_the_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'other').mkdir()
    with atomic_write('run.json') as partial:
        Path(partial).write_text('new')
        os.chdir('other')
    assert (tmp_path / 'run.json').read_text() == 'new'


@pytest.mark.parametrize('error', [RuntimeError('other'), KeyboardInterrupt()])
def test_errors_leave_the_old_file(tmp_path, error):
    path = tmp_path / 'run.json'
    write(path, 'old')

    def write_half():
        with atomic_write(path) as partial:
            Path(partial).write_text('half')
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_text() == 'old'
    assert names(tmp_path) == ['run.json']


def test_errors_about_other_files_stay_as_they_are(tmp_path):
    with (
        pytest.raises(FileNotFoundError) as info,
        atomic_write(tmp_path / 'run.json'),
        open(tmp_path / 'missing'),
    ):
        pass
    assert info.value.filename == str(tmp_path / 'missing')
    assert names(tmp_path) == []


def test_a_link_is_replaced(tmp_path):
    (tmp_path / 'target').write_text('old')
    (tmp_path / 'link').symlink_to('target')
    write(tmp_path / 'link', 'new')
    assert (tmp_path / 'target').read_text() == 'old'
    assert not (tmp_path / 'link').is_symlink()


def test_a_file_in_the_way(tmp_path):
    (tmp_path / 'file').write_text('')
    path = tmp_path / 'file' / 'folder' / 'run.json'
    with pytest.raises(OSError, match='leads through no file') as info:
        write(path, 'new')
    assert info.value.errno == errno.ENOTDIR
    assert f"'{path}' cannot be written" in str(info.value)


def test_a_folder_in_the_way(tmp_path):
    with pytest.raises(IsADirectoryError, match='choose the path of a file'):
        write(tmp_path, 'new')
    assert names(tmp_path) == []


def test_full_disk(small_disk):
    path = small_disk / 'run.json'
    write(path, 'old')
    with pytest.raises(OSError, match='free some space') as info:
        write(path, 100_000 * 'x')
    assert info.value.errno == errno.ENOSPC
    assert f"'{path}' cannot be written" in str(info.value)
    assert path.read_text() == 'old'
    assert names(small_disk) == ['run.json']


def test_read_only_disk(small_disk):
    path = small_disk / 'run.json'
    write(path, 'old')
    mount = ['mount', '-o', 'remount,ro', str(small_disk)]
    subprocess.run(mount, check=True, capture_output=True)
    with pytest.raises(OSError, match='not read-only') as info:
        write(path, 'new')
    assert info.value.errno == errno.EROFS
    assert path.read_text() == 'old'


def test_limit_on_the_size_of_files(tmp_path):
    path = tmp_path / 'run.json'
    write(path, 'old')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match='the limit on the size of files') as info:
            write(path, 2000 * 'x')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert info.value.errno == errno.EFBIG
    assert path.read_text() == 'old'
    assert names(tmp_path) == ['run.json']


def test_leftovers_of_killed_writers(tmp_path):
    path = tmp_path / 'run.json'
    write(path, 'old')
    killed = textwrap.dedent(
        f"""
        import importlib.util, os, signal
        place = {str(PACKAGE / 'lgmrec_pyg' / 'storage' / 'atomic.py')!r}
        spec = importlib.util.spec_from_file_location('atomic', place)
        atomic = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(atomic)
        paths = [{str(path)!r}, {str(path)!r} + '.other']
        blocks = [atomic.atomic_write(path) for path in paths]
        for block in blocks:
            open(block.__enter__(), 'w').write('half')
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, '-c', killed], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == 'old'
    assert len(names(tmp_path)) == 3

    write(path, 'new')
    assert path.read_text() == 'new'
    left = names(tmp_path)
    assert len(left) == 2
    assert left[0].startswith('.run.json.other.')
    write(str(path) + '.other', 'new')
    assert names(tmp_path) == ['run.json', 'run.json.other']


def test_writers_of_the_same_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / 'run.json'
    (tmp_path / f'.run.json.{16 * "0"}.tmp').symlink_to('nowhere')
    with atomic_write(path) as first, atomic_write(path) as second:
        write(path, 'third')
        assert Path(first).exists()
        assert Path(second).exists()
        Path(first).write_text('first')
        Path(second).write_text('second')
    assert path.read_text() == 'first'
    (tmp_path / f'.run.json.{16 * "0"}.tmp').unlink()
    assert names(tmp_path) == ['run.json']
