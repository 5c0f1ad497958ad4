from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features.item_features import add_item_features
from lgmrec_pyg.datasets.features.multi_hot import multi_hot
from lgmrec_pyg.encoders import encode
from lgmrec_pyg.graph import ITEM

TEXT = 'text'


def add_texts(
    data: HeteroData,
    texts: Mapping[Any, str],
    encoder: Callable[[list[str]], Any],
    cache: str | None = None,
) -> HeteroData:
    r"""Adds the encoded texts of items to a graph, as the modality
    :obj:`"text"`. Only texts of items in the graph are encoded.

    Args:
        data (HeteroData): The interaction graph, which is not changed.
        texts (Dict[Any, str]): The text of each item by its id. Empty ones count
            as missing.
        encoder (callable): A function that takes in a list of texts, and returns
            one row of features per text, see
            :meth:`~lgmrec_pyg.encoders.encode`.
        cache (str, optional): The path of the file to keep the encoded texts in.
            (default: :obj:`None`)
    """
    found = {id_: texts[id_] for id_ in data[ITEM].ids if texts.get(id_)}
    if not found:
        return data
    x = encode(found, encoder, cache=cache)
    return add_item_features(data, {TEXT: (list(found), x)})


def add_labels(
    data: HeteroData, labels: Mapping[Any, Sequence[str]], modality: str
) -> HeteroData:
    r"""Adds sets of labels of items to a graph, with one column per label.

    Args:
        data (HeteroData): The interaction graph, which is not changed.
        labels (Dict[Any, List[str]]): The labels of each item by its id. Empty
            ones count as missing.
        modality (str): The name of the modality, *e.g.*, :obj:`"genre"`.
    """
    found = {id_: labels[id_] for id_ in data[ITEM].ids if labels.get(id_)}
    if not found:
        return data
    x, _ = multi_hot(list(found.values()))
    return add_item_features(data, {modality: (list(found), x)})
