import os
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.described_graph import graph_of_described_items
from lgmrec_pyg.datasets.json_lines import read_json_lines
from lgmrec_pyg.datasets.json_values import (
    to_id,
    to_labels,
    to_number,
    to_seconds,
    to_text,
)

if TYPE_CHECKING:
    import pandas as pd

REVIEW_FIELDS = {
    'user_id': to_id,
    'business_id': to_id,
    'stars': to_number,
    'date': to_seconds,
}
BUSINESS_FIELDS = {
    'business_id': to_id,
    'name': to_text,
    'categories': to_labels,
    'city': to_text,
}


def graph_from_yelp(
    reviews: str | os.PathLike[str],
    businesses: str | os.PathLike[str] | None = None,
    encoder: Callable[[list[str]], Any] | None = None,
    *,
    categories: bool = True,
    all_items: bool = False,
    cache: str | None = None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the multimodal interaction graph of the `Yelp Open Dataset
    <https://www.yelp.com/dataset>`_, whose businesses are the items.

    The files are streamed: of reviews, only users, businesses, stars and dates are
    kept in memory.

    .. code-block:: python

        data = graph_from_yelp(
            'yelp_academic_dataset_review.json',
            'yelp_academic_dataset_business.json',
            SentenceEncoder(),
            min_rating=4,
            k_core=10,
        )

    Args:
        reviews (str): The path of the file of reviews, plain or
            gzip-compressed (:obj:`.gz`).
        businesses (str, optional): The path of the file of businesses. If
            :obj:`None`, the graph has no modalities. (default: :obj:`None`)
        encoder (callable, optional): A function that takes in a list of texts,
            and returns one row of features per text. If given, it encodes the
            name, the categories and the city of each business as the modality
            :obj:`"text"`. (default: :obj:`None`)
        categories (bool, optional): If set to :obj:`False`, will not add the
            modality :obj:`"category"`, with one column per category.
            (default: :obj:`True`)
        all_items (bool, optional): If set to :obj:`True`, will keep businesses
            without reviews, and those that are filtered out.
            (default: :obj:`False`)
        cache (str, optional): The path of the file to keep the encoded texts in,
            see :meth:`~lgmrec_pyg.encoders.encode`. (default: :obj:`None`)
        **kwargs (optional): Additional arguments of
            :meth:`~lgmrec_pyg.datasets.graph_from_interactions`, such as
            :obj:`min_rating`, :obj:`k_core` or :obj:`split`.

    Raises:
        ValueError: If a file is malformed, naming the line.
    """
    if businesses is None and (encoder is not None or all_items):
        raise ValueError(
            "'businesses' needs to be the path of a file for 'encoder' and 'all_items' "
            '(got None)'
        )
    table = {} if businesses is None else _read_businesses(businesses)
    labels = {id_: labels for id_, (_, labels, _) in table.items()}
    return graph_of_described_items(
        _read_reviews(reviews),
        {id_: _text(*fields) for id_, fields in table.items()},
        {'category': labels} if categories else {},
        encoder,
        all_items,
        cache,
        **kwargs,
    )


def _read_reviews(path: str | os.PathLike[str]) -> 'pd.DataFrame':
    import pandas as pd

    codes: tuple[dict[str, int], dict[str, int]] = {}, {}
    users, items, stars, times = array('i'), array('i'), array('d'), array('q')
    for review in read_json_lines(path, REVIEW_FIELDS):
        user, item, star, time = review.values()
        users.append(codes[0].setdefault(user, len(codes[0])))
        items.append(codes[1].setdefault(item, len(codes[1])))
        stars.append(star)
        times.append(time)
    ids = [
        pd.Categorical.from_codes(np.asarray(column), list(values))
        for column, values in zip((users, items), codes, strict=True)
    ]
    columns = [*ids, np.asarray(stars), np.asarray(times)]
    return pd.DataFrame(dict(zip(REVIEW_FIELDS, columns, strict=True)))


def _read_businesses(
    path: str | os.PathLike[str],
) -> dict[str, tuple[str, list[str], str]]:
    rows = (row.values() for row in read_json_lines(path, BUSINESS_FIELDS))
    return {id_: (name, labels, city) for id_, name, labels, city in rows}


def _text(name: str, categories: list[str], city: str) -> str:
    return '. '.join(filter(None, [name, ', '.join(categories), city]))
