import contextlib
import importlib
import io
import os.path as osp
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from lgmrec_pyg.graph import LABELS

SPLITS = dict(zip(('train', 'valid', 'test'), ('edge_index', *LABELS), strict=True))
MAPPING = osp.join('mapping', '{}_entidx2name.csv.gz')


@contextlib.contextmanager
def allow_ogb_files() -> Iterator[None]:
    r"""Lets :meth:`torch.load` read the files of the Open Graph Benchmark, and
    still nothing that could run code.

    The :obj:`ogb` package stores splits as NumPy arrays and its caches as
    :class:`~torch_geometric.data.Data` objects via :meth:`torch.save`. Since
    PyTorch 2.6, :meth:`torch.load` refuses either by default. Within this
    block, arrays of numbers and the plain containers of PyG are allowed by
    name; any other object, as in a tampered download, is refused as before.

    .. code-block:: python

        with allow_ogb_files():
            dataset = PygLinkPropPredDataset('ogbl-collab', root)
            split = dataset.get_edge_split()

    .. note::

        The caches of :obj:`LinkPropPredDataset` stay refused, in a format that
        :meth:`torch.load` reads without restrictions only:
        :obj:`PygLinkPropPredDataset` reads all of the same datasets.
    """
    # NumPy 1 and 2 pickle arrays and scalars by functions of these two modules,
    # and empty arrays by an empty 'bytes'.
    arrays: list[Any] = [
        (value.__reduce__()[0], f'numpy.{module}.multiarray.{function}')
        for module in ('core', '_core')
        for value, function in ((np.empty(0), '_reconstruct'), (np.int64(), 'scalar'))
    ]
    containers = DataEdgeAttr, DataTensorAttr, GlobalStorage
    dtypes = [type(np.dtype(code)) for code in np.typecodes['AllInteger'] + '?efd']
    with torch.serialization.safe_globals(
        [*arrays, bytes, np.ndarray, np.dtype, *dtypes, *containers]
    ):
        yield


def import_ogb(module: str) -> Any:
    r"""Imports a module of the optional :obj:`ogb` package."""
    try:
        return importlib.import_module(f'ogb.{module}')
    except ImportError as error:
        raise ImportError(
            "Datasets of the Open Graph Benchmark need 'ogb': pip install ogb"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    r"""Swallows what :obj:`ogb` prints, which has no switch for it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        yield


def folder_name(name: str) -> str:
    r"""Returns how :obj:`ogb` names the folder of a dataset."""
    if not re.fullmatch(r'ogbl(-\w+)+', name):
        raise ValueError(f"'name' needs to be like 'ogbl-clothing' (got '{name}')")
    return name.replace('-', '_')
