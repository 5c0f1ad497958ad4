import os
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.described import graph_of_described_items
from lgmrec_pyg.datasets.json_lines import read_json_lines, read_reviews, to_id

REVIEW_KEYS = ('user_id', 'business_id', 'stars', 'date')


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
    kept in memory. Damaged lines are skipped with a warning, unless they are more
    than a few.

    Args:
        reviews (str): The path of the file of reviews, plain or
            gzip-compressed (:obj:`.gz`).
        businesses (str, optional): The path of the file of businesses. If
            :obj:`None`, the graph has no modalities. (default: :obj:`None`)
        encoder (callable, optional): The encoder of the name, the categories and the
            city of each business, as the modality :obj:`"text"`.
            (default: :obj:`None`)
        categories (bool, optional): If set to :obj:`False`, will not add the
            modality :obj:`"category"`, with one column per category.
            (default: :obj:`True`)
        all_items (bool, optional): If set to :obj:`True`, will keep businesses
            without reviews, and those that are filtered out.
            (default: :obj:`False`)
        cache (str, optional): See
            :meth:`~lgmrec_pyg.datasets.graph_from_movielens`. (default: :obj:`None`)
        **kwargs (optional): Additional arguments of
            :meth:`~lgmrec_pyg.datasets.graph_from_movielens`.

    Raises:
        ValueError: If a file is damaged.
    """
    if businesses is None and (encoder is not None or all_items):
        raise ValueError("'businesses' needs to be given for 'encoder' and 'all_items'")
    rows = () if businesses is None else read_json_lines(businesses, _convert)
    texts, labels = {}, {}
    for id_, name, found, city in rows:
        texts[id_] = '. '.join(filter(None, [name, ', '.join(found), city]))
        labels[id_] = found
    return graph_of_described_items(
        read_reviews(reviews, REVIEW_KEYS, to_time=_to_seconds),
        texts,
        {'category': labels} if categories else {},
        encoder,
        all_items,
        cache,
        **kwargs,
    )


def _convert(business: dict[str, Any]) -> tuple[str, str, list[str], str]:
    labels = business['categories'] or []
    labels = labels.split(',') if isinstance(labels, str) else labels
    labels = [label.strip() for label in labels if label and label.strip()]
    name, city = (business[key] or '' for key in ('name', 'city'))
    return to_id(business['business_id']), str(name), labels, str(city)


def _to_seconds(date: str) -> int:
    moment = datetime.fromisoformat(date)
    return int(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp())
