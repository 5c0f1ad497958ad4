from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features.described_items import add_labels, add_texts
from lgmrec_pyg.datasets.interactions.graph import graph_from_interactions

if TYPE_CHECKING:
    import pandas as pd


def graph_of_described_items(
    ratings: 'pd.DataFrame',
    texts: Mapping[Any, str],
    labels: Mapping[str, Mapping[Any, Sequence[str]]],
    encoder: Callable[[list[str]], Any] | None,
    all_items: bool,
    cache: str | None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the multimodal interaction graph of rated items with a text and
    with labels.

    Args:
        ratings (pandas.DataFrame): The user, the item, the rating and the
            timestamp of each interaction, in columns of this order.
        texts (Dict[Any, str]): The text of each item by its id.
        labels (Dict[str, Dict[Any, List[str]]]): The labels of each item by its
            id, for each modality of labels.
        encoder (callable, optional): The encoder of the texts. If :obj:`None`,
            will leave them out.
        all_items (bool): Whether all items with a text have a node.
        cache (str, optional): The path of the file to keep the encoded texts in.
        **kwargs (optional): Additional arguments of
            :meth:`~lgmrec_pyg.datasets.graph_from_interactions`.
    """
    user, item, rating, timestamp = ratings.columns
    data = graph_from_interactions(
        ratings,
        user=user,
        item=item,
        rating=None if kwargs.get('min_rating') is None else rating,
        timestamp=timestamp,
        catalog=list(texts) if all_items else None,
        **kwargs,
    )
    if encoder is not None:
        data = add_texts(data, texts, encoder, cache)
    for modality, found in labels.items():
        data = add_labels(data, found, modality)
    return data
