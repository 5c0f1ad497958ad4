r"""Trains in processes that are killed and started again, until they are through.

Run by ``test_killed_runs.py`` as a program, so that everything is imported once and
no other thread runs while it forks.
"""

import json
import os
import random
import resource
import signal
import stat
import sys
import time
import traceback
from pathlib import Path

import torch

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import save_tensors
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

CHECKPOINT = 'run.safetensors'
MOMENTS = ['writing', 'fsync', 'replace', 'replaced']
SEEDS = range(3)
PARTS = []  # What every process starts with.


def build():
    torch.manual_seed(5)
    data = SyntheticMultimodal('tiny')[0]
    pairs, val = data[INTERACTS].edge_index, data[INTERACTS].val_edge_label_index
    inputs = model_inputs(ToAdjacency()(DegreeNorm()(data)))
    model = LGMRec.from_data(data, embedding_dim=8)
    with torch.no_grad():
        model.eval().embed(*inputs)  # Once here rather than in every process.
    generator = torch.Generator().manual_seed(7)
    sampler = TripletSampler(pairs, 100, 80, batch_size=256, generator=generator)
    return model, inputs, sampler, Evaluator(val, pairs, 100, 80, ks=[20])


def train(folder, model, *arguments):
    history = fit(
        model,
        *arguments,
        epochs=9,
        lr=0.01,
        eval_every=2,
        progress=False,
        checkpoint=folder / CHECKPOINT,
        resume=True,
    )
    save_tensors({**model.state_dict(), 'next random': torch.rand(3)}, folder / 'final')
    (folder / 'history.json').write_text(json.dumps(history.to_dict()))


def start(folder, prepare=lambda: None):
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            train(folder, *PARTS)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return pid


def finish(pid):
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL, -signal.SIGXFSZ), status
    return status


def kill_at_random(folder, seed, seconds):
    rng, num_kills = random.Random(seed), 0
    while True:
        pid = start(folder)
        if num_kills < 4:
            time.sleep(rng.uniform(0, 0.7 * seconds))
            os.kill(pid, signal.SIGKILL)
        if finish(pid) == 0:
            return {'kills': num_kills, 'leftovers': 0}
        num_kills += 1


def die_at(moment, call):
    r"""Kills this process at a moment of writing its ``call``-th checkpoint."""
    replace, fsync, num_calls = os.replace, os.fsync, []

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def die_in_replace(*args):
        num_calls.append(args)
        if len(num_calls) == call and moment == 'replace':
            die()
        replace(*args)
        if len(num_calls) == call and moment == 'replaced':
            die()
        if len(num_calls) == call - 1 and moment == 'writing':
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))

    def die_in_fsync(file):
        is_file = stat.S_ISREG(os.fstat(file).st_mode)
        if len(num_calls) == call - 1 and moment == 'fsync' and is_file:
            die()
        fsync(file)

    os.replace, os.fsync = die_in_replace, die_in_fsync


def kill_while_saving(folder, moment):
    num_kills, num_leftovers = 0, 0
    for call in (4, 3):
        status = finish(start(folder, lambda call=call: die_at(moment, call)))
        num_kills += status != 0
        num_leftovers += len(list(folder.glob('.*.tmp')))
    assert finish(start(folder)) == 0
    return {'kills': num_kills, 'leftovers': num_leftovers}


def main(root):
    torch.set_num_threads(1)
    PARTS.extend(build())
    report = {}
    for name in ['uninterrupted', *MOMENTS, *(f'seed {seed}' for seed in SEEDS)]:
        folder = root / name
        folder.mkdir()
        before = time.perf_counter()
        if name == 'uninterrupted':
            assert finish(start(folder)) == 0
            seconds = time.perf_counter() - before
        elif name in MOMENTS:
            report[name] = kill_while_saving(folder, name)
        else:
            report[name] = kill_at_random(folder, name, seconds)
    (root / 'report.json').write_text(json.dumps(report))


if __name__ == '__main__':
    main(Path(sys.argv[1]))
