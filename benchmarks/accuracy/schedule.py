r"""Runs cells as they become ready, in this process or in several."""

import os
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context

import torch
from tqdm import tqdm

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.execute import Outcome, Source, run_cell
from benchmarks.accuracy.plan import Options, plan
from benchmarks.accuracy.store import Store


def run_all(
    options: Options, store: Store, source: Source, jobs: int, threads: int
) -> list[str]:
    r"""Runs all cells that are not in the store, and adds them to it.

    A cell that fails does not stop the others, and is left for the next run.

    Args:
        options (Options): What to run.
        store (Store): The finished cells.
        source (Source): Where the data is.
        jobs (int): The number of processes; one runs the cells in this one.
        threads (int): The number of threads of each.

    Returns:
        The failed cells with their errors.
    """
    errors: set[str] = set()
    traces: list[str] = []
    ready, waiting = plan(options, store)
    done = 0
    with (
        _workers(jobs, threads) as submit,
        _progress_bar(len(ready) + waiting) as bar,
    ):
        running: dict[Future[Outcome], Cell] = {}
        while True:
            busy = {cell.key for cell in running.values()}
            queue = [x for x in ready if x.key not in busy and x.key not in errors]
            for cell in queue[: jobs - len(running)]:
                bar.set_postfix_str(str(cell), refresh=False)
                running[submit(cell, source)] = cell
            if not running:
                return traces
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell = running.pop(future)
                try:
                    row = store.add(cell, *future.result())
                    bar.write(_line(cell, row), file=sys.stderr)
                except Exception as error:  # Whatever it is, other cells can run.
                    errors.add(cell.key)
                    trace = ''.join(traceback.format_exception(error))
                    traces.append(f'{cell} {cell.config}\n{trace}')
                    bar.write(f'{cell}: failed, {error}', file=sys.stderr)
                done += 1
            ready, waiting = plan(options, store)
            bar.total = done + len(ready) + waiting
            bar.update(done - bar.n)


@contextmanager
def _workers(jobs: int, threads: int) -> Iterator:
    if jobs == 1:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield _run_here
        finally:
            torch.set_num_threads(before)
        return
    # Read when a worker imports PyTorch.
    os.environ['OMP_NUM_THREADS'] = str(threads)
    pool = ProcessPoolExecutor(
        jobs, get_context('spawn'), torch.set_num_threads, (threads,)
    )
    try:
        yield lambda cell, source: pool.submit(run_cell, cell, source)
    finally:
        pool.shutdown(cancel_futures=True)


def _run_here(cell: Cell, source: Source) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    try:
        future.set_result(run_cell(cell, source))
    except Exception as error:
        future.set_exception(error)
    return future


def _progress_bar(total: int) -> tqdm:
    # A log file gets a line now and then, a terminal a moving bar.
    mininterval = 0.1 if sys.stderr.isatty() else 60.0
    return tqdm(total=total, unit='cell', smoothing=0.05, mininterval=mininterval)


def _line(cell: Cell, row: dict[str, str]) -> str:
    if row['error']:
        return f'{cell}: {row["error"]}'
    epochs = f', best epoch {row["best_epoch"]} of {row["epochs_run"]}'
    return (
        f'{cell}: Recall@20 {float(row["Recall@20"]):.4f} '
        f'(validation {float(row["val_Recall@20"]):.4f}), '
        f'{float(row["train_seconds"]):.1f} s{epochs if row["best_epoch"] else ""}'
    )
