from collections.abc import Callable
from typing import Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.amazon.products import read_amazon_reviews, read_products
from lgmrec_pyg.datasets.described import graph_of_described_items


def graph_from_amazon(
    reviews: Any,
    products: Any = None,
    encoder: Callable[[list[str]], Any] | None = None,
    *,
    categories: bool = True,
    all_items: bool = False,
    cache: str | None = None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the multimodal interaction graph of reviews of Amazon, in the files of
    any category and edition: `2014
    <https://jmcauley.ucsd.edu/data/amazon/links.html>`_, `2018
    <https://nijianmo.github.io/amazon>`_ and `2023
    <https://amazon-reviews-2023.github.io>`_.

    .. code-block:: python

        data = graph_from_amazon(
            'All_Beauty.jsonl.gz', 'meta_All_Beauty.jsonl.gz', encoder, k_core=5
        )

    Items of 2023 are the products that their variants have in common
    (:obj:`parent_asin`). Damaged lines are skipped with a warning, unless they are
    more than a few.

    Args:
        reviews (str): The path of the file of reviews: JSON lines, compressed or
            not, or, of 2023, Parquet or CSV.
        products (str, optional): The path of the file of products: JSON lines,
            compressed or not, or, of 2023, Parquet. If :obj:`None`, the graph has no
            modalities. (default: :obj:`None`)
        encoder (callable, optional): The encoder of the title, the brand or store,
            the categories, the features, the description and the details of each
            product, as far as it has them, as the modality :obj:`"text"`.
            (default: :obj:`None`)
        categories (bool, optional): If set to :obj:`False`, will not add the
            modality :obj:`"category"`, with one column per category.
            (default: :obj:`True`)
        all_items (bool, optional): If set to :obj:`True`, will keep products
            without reviews, and those that are filtered out.
            (default: :obj:`False`)
        cache (str, optional): See
            :meth:`~lgmrec_pyg.datasets.graph_from_movielens`. (default: :obj:`None`)
        **kwargs (optional): See
            :meth:`~lgmrec_pyg.datasets.graph_from_movielens`.

    Raises:
        ValueError: If a file is damaged, or of another category.
    """
    if products is None and (encoder is not None or all_items):
        raise ValueError("'products' needs to be given for 'encoder' and 'all_items'")
    ratings = read_amazon_reviews(reviews)
    wanted = None if all_items else set(ratings['item_id'])
    texts: dict[str, str] = {}
    labels: dict[str, list[str]] = {}
    if products is not None:
        for asin, text, found in read_products(products, wanted):
            texts.setdefault(asin, text)
            labels.setdefault(asin, found)
        if not texts:
            raise ValueError(
                f"'{products}' needs to describe products such as "
                f'{ratings["item_id"].iloc[0]!r} (got none of those with reviews)'
            )
    return graph_of_described_items(
        ratings,
        texts,
        {'category': labels} if categories else {},
        encoder,
        all_items,
        cache,
        **kwargs,
    )
