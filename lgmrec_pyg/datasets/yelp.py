import os
from array import array
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features.described_items import add_labels, add_texts
from lgmrec_pyg.datasets.interactions.graph import graph_from_interactions
from lgmrec_pyg.datasets.json_lines import read_json_lines

if TYPE_CHECKING:
    import pandas as pd

USER, BUSINESS, STARS, DATE = REVIEW_KEYS = ['user_id', 'business_id', 'stars', 'date']
BUSINESS_KEYS = [BUSINESS, 'name', 'categories', 'city']


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
    data = graph_from_interactions(
        _read_reviews(reviews),
        user=USER,
        item=BUSINESS,
        rating=None if kwargs.get('min_rating') is None else STARS,
        timestamp=DATE,
        catalog=list(table) if all_items else None,
        **kwargs,
    )
    if encoder is not None:
        texts = {id_: _text(*fields) for id_, fields in table.items()}
        data = add_texts(data, texts, encoder, cache)
    if categories:
        labels = {id_: labels for id_, (_, labels, _) in table.items()}
        data = add_labels(data, labels, 'category')
    return data


def _read_reviews(path: str | os.PathLike[str]) -> 'pd.DataFrame':
    import pandas as pd

    codes: tuple[dict[str, int], dict[str, int]] = {}, {}
    pairs = array('i'), array('i')
    stars, times = array('d'), array('q')
    for number, values in read_json_lines(path, REVIEW_KEYS):
        try:
            for ids, column, id_ in zip(codes, pairs, values[:2], strict=True):
                column.append(ids.setdefault(_id(id_), len(ids)))
            stars.append(values[2])
            times.append(_seconds(values[3]))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"'{path}' needs to hold ids, a number of stars and a date per line "
                f'(got {dict(zip(REVIEW_KEYS, values, strict=True))} in line {number})'
            ) from error
    frame = {
        key: pd.Categorical.from_codes(np.asarray(column), list(ids))
        for key, column, ids in zip(REVIEW_KEYS[:2], pairs, codes, strict=True)
    }
    return pd.DataFrame({**frame, STARS: np.asarray(stars), DATE: np.asarray(times)})


def _read_businesses(
    path: str | os.PathLike[str],
) -> dict[str, tuple[str, list[str], str]]:
    out = {}
    for number, (id_, name, categories, city) in read_json_lines(path, BUSINESS_KEYS):
        try:
            out[_id(id_)] = str(name or ''), _labels(categories), str(city or '')
        except TypeError as error:
            raise ValueError(
                f"'{path}' needs to hold an id and categories as text per line "
                f'(got {id_!r} and {categories!r} in line {number})'
            ) from error
    return out


def _id(value: Any) -> str:
    if not isinstance(value, str) or value == '':
        raise TypeError
    return value


def _labels(categories: str | list[str] | None) -> list[str]:
    if isinstance(categories, str):
        categories = categories.split(',')
    return [label for label in map(str.strip, categories or []) if label]


def _seconds(date: str) -> int:
    moment = datetime.fromisoformat(date)
    return int(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp())


def _text(name: str, categories: list[str], city: str) -> str:
    return '. '.join(filter(None, [name, ', '.join(categories), city]))
