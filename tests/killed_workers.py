r"""Kills a process of a training with kill -9 at random moments, and holds the result
to that of a training that was left alone:

    python tests/killed_workers.py --kills 20 --shard columns
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lgmrec_pyg.storage import load_tensors

ROOT = Path(__file__).parents[1]
COURSE = ('losses', 'metrics', 'eval_epochs', 'best_epoch', 'stopped_by', 'epochs_run')


def start(folder, shard, epochs):
    torchrun = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run']
    torchrun += ['--standalone', '--nproc-per-node', '2', '--max-restarts', '3']
    options = ['--preset', 'tiny', '--no-progress', '--shard', shard, '--resume']
    options += ['--epochs', str(epochs), '--checkpoint', folder / 'run.safetensors']
    options += ['--save', folder / 'model', '--json', folder / 'run.json']
    return subprocess.Popen(
        [*torchrun, ROOT / 'examples/distributed.py', *options, '--output', folder],
        env=os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers(pid):
    return Path(f'/proc/{pid}/task/{pid}/children').read_text().split()


def kill_one(process, rng):
    r"""Kills one of the processes of a training, unless they have ended."""
    try:
        pid = int(rng.choice(workers(process.pid)))
        os.kill(pid, signal.SIGKILL)
    except (IndexError, OSError):
        return False
    return True


def result(folder):
    history = json.loads((folder / 'run.json').read_text())['history']
    weights = load_tensors(folder / 'model/model.safetensors')
    return {key: history[key] for key in COURSE}, weights


def has_checkpoint(folder):
    return any((folder / 'run.safetensors.shards').glob('[2-9]*'))


def finish(process):
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-5000:]
    return errors


def assert_equal(a, b):
    assert a[0] == b[0]
    assert a[1].keys() == b[1].keys()
    assert all(weight.equal(b[1][name]) for name, weight in a[1].items())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--shard', default='columns')
    parser.add_argument('--epochs', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as root:
        alone = Path(root) / 'alone'
        begin = time.monotonic()
        finish(start(alone, args.shard, args.epochs))
        seconds, expected = time.monotonic() - begin, result(alone)
        print(f'Without a kill: {seconds:.1f} s', flush=True)
        killed = 0
        while killed < args.kills:
            folder = Path(root) / str(time.monotonic_ns())
            process = start(folder, args.shard, args.epochs)
            moment = rng.uniform(0, seconds)
            time.sleep(moment)
            was_killed = kill_one(process, rng)
            finish(process)
            assert_equal(result(folder), expected)
            killed += was_killed
            what = 'Killed' if was_killed else 'Nobody to kill'
            print(f'{what} after {moment:.1f} s: the same result', flush=True)


if __name__ == '__main__':
    main()
