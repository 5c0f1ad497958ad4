r"""Graphs by the names and paths of the command line."""

import os.path as osp
from typing import Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import (
    AmazonMultimodal,
    MultimodalDataset,
    SyntheticMultimodal,
    graph_from_interactions,
)
from lgmrec_pyg.nn import PAPER

SYNTHETIC = {
    'synthetic': 'small',
    'synthetic-tiny': 'tiny',
    'synthetic-baby': 'baby',
}


def load_data(
    source: str, features: str | None, root: str, cache: str, **kwargs: Any
) -> tuple[str, HeteroData]:
    r"""Returns a graph and its name.

    Args:
        source (str): The path of a table of interactions, or of a folder in the layout
            of the field, or the name of a built-in dataset.
        features (str, optional): The folder of the features of a table.
        root (str): Where the folders of datasets to download are.
        cache (str): The folder of what is processed.
        **kwargs (optional): Further arguments of
            :meth:`~lgmrec_pyg.datasets.graph_from_interactions`.
    """
    if osp.isfile(source):
        name = osp.splitext(osp.basename(source))[0]
        return name, graph_from_interactions(source, features, **kwargs)
    if features is not None:
        raise ValueError(
            f"'--features' needs a table of interactions (got '{source}', which is no "
            f'file)'
        )
    if osp.isdir(source):
        dataset = MultimodalDataset.from_folder(source, processed_dir=cache)
        return dataset.name, dataset[0]
    if source in SYNTHETIC:
        return source, SyntheticMultimodal(SYNTHETIC[source])[0]
    if source in PAPER:
        return source, AmazonMultimodal(root, source, processed_dir=cache)[0]
    known = ', '.join([*SYNTHETIC, *PAPER])
    raise FileNotFoundError(
        f"'{source}' needs to be a table of interactions, a folder, or one of {known} "
        f'(there is no such file)'
    )
