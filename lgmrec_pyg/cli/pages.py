import os.path as osp
from importlib.util import find_spec
from typing import Annotated

import torch
import typer

import lgmrec_pyg.reporting as reporting
import lgmrec_pyg.serving as serving
from lgmrec_pyg.cli.app import RunFolder, say
from lgmrec_pyg.ops._extension import KERNELS

Option = typer.Option
EXTRAS = ('torch_sparse', 'pyarrow', 'faiss', 'altair', 'fastapi')


def report(
    runs: Annotated[list[str], typer.Argument(help='Folders of runs.')],
    out: Annotated[
        str | None,
        Option(help='The file. (default: RUN/report.html, or compare.html)'),
    ] = None,
) -> None:
    r"""Write a page about a run, or one that compares several.

    Examples:

        lgmrec report run
        lgmrec report run freedom --out compare.html
    """
    single = osp.join(runs[0], 'report.html') if len(runs) == 1 else 'compare.html'
    path = single if out is None else out
    say('Evaluates, and draws ...')
    reporting.report(runs, path)
    say(f"Wrote '{path}': open it in a browser")


def serve(
    run: RunFolder,
    host: Annotated[str, Option(help='The address to listen at.')] = '127.0.0.1',
    port: Annotated[int, Option(help='The port.')] = 8000,
    workers: Annotated[int, Option(help='The number of processes.')] = 1,
    approximate: Annotated[
        bool, Option('--approximate', help='Rank by an index of faiss.')
    ] = False,
) -> None:
    r"""Answer requests over HTTP.

    Examples:

        lgmrec serve run --port 8000
    """
    serving.serve(run, host, port, workers, approximate=approximate)


def info() -> None:
    r"""Show versions, device, kernels and threads.

    Examples:

        lgmrec info
    """
    on_cuda = torch.cuda.is_available()
    rows = reporting.versions('cuda' if on_cuda else 'cpu')
    rows['instructions'] = torch.backends.cpu.get_cpu_capability()
    rows['kernels'] = 'not built' if KERNELS is None else f'C++, {KERNELS.version}'
    rows |= {x: 'yes' if find_spec(x) else 'no' for x in EXTRAS if not rows.get(x)}
    for name, value in rows.items():
        typer.echo(f'{name:15} {value}')
