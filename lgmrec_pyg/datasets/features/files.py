import os
import os.path as osp
from typing import Any

from torch import Tensor

from lgmrec_pyg.datasets.features.npz import write_npz
from lgmrec_pyg.datasets.features.table import ENDING, read_feature_tables


def save_item_features(folder: str | os.PathLike[str], features: Any) -> None:
    r"""Writes the features of items to a folder: one file
    :obj:`<modality>.npz` per modality, the same as that of
    :obj:`numpy.savez(path, ids=ids, x=x)`.

    Each file is written completely or not at all.

    Args:
        folder (str): The path of the folder, which is created if needed.
        features (Dict[str, Any]): The features of each modality, in any of the
            forms of :meth:`~lgmrec_pyg.datasets.add_item_features`.

    Raises:
        OSError: If a file cannot be written.
        ValueError: If features are malformed.
    """
    tables = read_feature_tables(features)
    for modality in tables:
        if osp.basename(modality) != modality or '\0' in modality:
            raise ValueError(
                f"'features' needs to hold modalities that can name a file (got "
                f'{modality!r})'
            )
    for modality, (ids, x) in tables.items():
        path = osp.join(osp.expanduser(folder), modality + ENDING)
        write_npz(path, ids, x.numpy())


def load_item_features(
    folder: str | os.PathLike[str],
) -> dict[str, tuple[list[Any], Tensor]]:
    r"""Reads the features of items from a folder of :meth:`save_item_features`.

    Args:
        folder (str): The path of the folder.

    Returns:
        The ids of the items and the features of each modality, in alphabetical
        order.

    Raises:
        FileNotFoundError: If there is no such folder, or no file in it.
        ValueError: If a file is malformed.
    """
    tables = read_feature_tables(folder)
    return {modality: (ids.tolist(), x) for modality, (ids, x) in tables.items()}
