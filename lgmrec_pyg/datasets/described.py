r"""Graphs of items that datasets describe in words."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features import add_item_features, multi_hot
from lgmrec_pyg.datasets.interactions import graph_from_interactions
from lgmrec_pyg.encoders import encode
from lgmrec_pyg.graph import ITEM, IdMap


def graph_of_described_items(
    ratings: pd.DataFrame,
    texts: Mapping[Any, str],
    labels: Mapping[str, Mapping[Any, Sequence[str]]],
    encoder: Callable[[list[str]], Any] | None,
    all_items: bool,
    cache: str | None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the graph of rated items with texts, which become the modality
    :obj:`"text"`, and with labels, a modality for each kind of them. The columns of
    ratings are users, items, ratings and timestamps.

    Raises:
        ValueError: If texts or labels describe none of the items.
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
    return describe_items(data, texts, labels, encoder, cache)


def describe_items(
    data: HeteroData,
    texts: Mapping[Any, str],
    labels: Mapping[str, Mapping[Any, Sequence[str]]],
    encoder: Callable[[list[str]], Any] | None,
    cache: str | None,
) -> HeteroData:
    r"""Adds texts and labels of items to a graph, as modalities.

    Raises:
        ValueError: If they describe none of the items.
    """
    ids = IdMap.of(data, ITEM).ids
    described = texts.keys() | {id_ for found in labels.values() for id_ in found}
    if described and described.isdisjoint(ids):
        raise ValueError(
            f'the texts and labels need to describe items such as {ids[:3]} (got '
            f'{len(described)} others, such as {sorted(described)[:3]})'
        )
    if encoder is not None:
        found = {id_: texts[id_] for id_ in ids if texts.get(id_)}
        if not found:
            raise ValueError("'encoder' needs texts (got none of any item)")
        x = encode(found, encoder, cache=cache)
        rows = x.isfinite().all(dim=1)  # All but of texts that could not be encoded.
        known = [id_ for id_, is_known in zip(found, rows, strict=True) if is_known]
        data = add_item_features(data, {'text': (known, x[rows])})
    for modality, labels_of in labels.items():
        labelled = {id_: labels_of[id_] for id_ in ids if labels_of.get(id_)}
        if labelled:
            x, _ = multi_hot(list(labelled.values()))
            data = add_item_features(data, {modality: (list(labelled), x)})
        elif labels_of:
            warnings.warn(f"'{modality}' is left out: no item has any", stacklevel=3)
    return data
