r"""A real service in processes of its own, on a free port of this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from benchmarks.resident import MIB
from benchmarks.serving.ranking import draw_embeddings, draw_pairs
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import ITEM, USER
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage import save_graph

HOST = '127.0.0.1'
START_SECONDS = 300.0
CODE = """
import json, sys
from lgmrec_pyg.serving import serve
serve(**json.loads(sys.argv[1]))
"""


class Service:
    r"""Serves a folder, as a context manager.

    Args:
        path (str): The folder of the run.
        log (str): The path of a file for what it prints.
        **options (optional): Arguments of :func:`lgmrec_pyg.serving.serve`.
    """

    def __init__(self, path: str, log: str, **options: Any) -> None:
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        self.log = log
        self.options = {'path': path, 'host': HOST, 'port': self.port, **options}
        self.url = f'http://{HOST}:{self.port}'

    def __enter__(self) -> 'Service':
        command = [sys.executable, '-c', CODE, json.dumps(self.options)]
        with open(self.log, 'wb') as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        end = time.monotonic() + START_SECONDS
        while not self.is_up() or len(self.workers()) < self.options.get('workers', 1):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f'The service did not start: {self.read_log()}')
            time.sleep(0.2)
        self.first_workers = self.workers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def is_up(self) -> bool:
        r"""Whether it answers."""
        with suppress(OSError), urllib.request.urlopen(f'{self.url}/health', timeout=5):
            return True
        return False

    def workers(self) -> list[int]:
        r"""The processes that answer (Linux only)."""
        if self.options.get('workers', 1) == 1:
            return [self.process.pid] if self.process.poll() is None else []
        pid = self.process.pid
        with suppress(OSError):
            children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
            return sorted(int(x) for x in children if _is_spawned(x))
        return []

    def lost_workers(self) -> int:
        r"""The number of workers that died."""
        return len(set(self.first_workers) - set(self.workers()))

    def memory_mib(self) -> float:
        r"""The resident memory of all workers."""
        return sum(_status(pid, 'VmRSS') for pid in self.workers()) * 1024 / MIB

    def num_threads(self) -> int:
        r"""The number of threads of all workers."""
        return sum(_status(pid, 'Threads') for pid in self.workers())

    def stop(self) -> int:
        r"""Asks it to stop, and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def read_log(self) -> str:
        r"""What it printed."""
        return Path(self.log).read_text(errors='replace')


def write_run(
    folder: str, num_users: int, num_items: int, dim: int, seed: int = 0
) -> None:
    r"""Writes drawn embeddings the way a run is saved."""
    torch.manual_seed(seed)
    user_emb, item_emb = draw_embeddings(num_users, num_items, dim)
    seen = draw_pairs(num_users, num_items, 10)
    users = [f'user-{i}' for i in range(num_users)]
    items = [f'item-{i}' for i in range(num_items)]
    recommender = Recommender(user_emb, item_emb, users, items, seen)
    recommender.save(os.path.join(folder, 'embeddings.safetensors'))


def write_run_with_graph(folder: str, preset: str = 'tiny') -> dict[str, int]:
    r"""Writes a graph and drawn embeddings of it; returns the widths of features."""
    data = SyntheticMultimodal(preset)[0]
    num_users, num_items = (int(data[x].num_nodes or 0) for x in (USER, ITEM))
    user_emb, item_emb = draw_embeddings(num_users, num_items, 16)
    seen = draw_pairs(num_users, num_items, 5)
    save_graph(data, os.path.join(folder, 'graph.safetensors'))
    recommender = Recommender(user_emb, item_emb, seen=seen)
    recommender.save(os.path.join(folder, 'embeddings.safetensors'))
    return {name: data[name].num_features for name in ('image', 'text')}


def _is_spawned(pid: str) -> bool:
    # Beside the workers, there is a process that tracks shared resources.
    with suppress(OSError):
        return b'spawn_main' in Path(f'/proc/{pid}/cmdline').read_bytes()
    return False


def _status(pid: int, name: str) -> int:
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith(f'{name}:'):
            return int(line.split()[1])
    return 0
