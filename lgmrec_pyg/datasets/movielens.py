import csv
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from torch_geometric.data import HeteroData
from torch_geometric.datasets import MovieLens, MovieLens1M, MovieLens100K
from torch_geometric.datasets.movie_lens_100k import MOVIE_HEADERS, RATING_HEADERS

from lgmrec_pyg.datasets.described import graph_of_described_items
from lgmrec_pyg.storage import reading

CLASSES = {'latest-small': MovieLens, '100k': MovieLens100K, '1m': MovieLens1M}
NO_GENRES = ('', 'unknown', '(no genres listed)')
MOVIES = {'movieId': 'int64', 'title': 'str', 'genres': 'str'}
RATINGS = dict(zip(RATING_HEADERS, ('int64', 'int64', 'float64', 'int64'), strict=True))


def graph_from_movielens(
    root: str,
    name: str = 'latest-small',
    encoder: Callable[[list[str]], Any] | None = None,
    *,
    genres: bool = True,
    all_items: bool = False,
    cache: str | None = None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the multimodal interaction graph of a `MovieLens
    <https://movielens.org>`_ dataset.

    The files are those that the dataset of PyG downloads to :obj:`<root>`:
    :class:`~torch_geometric.datasets.MovieLens`,
    :class:`~torch_geometric.datasets.MovieLens100K` or
    :class:`~torch_geometric.datasets.MovieLens1M`. Ratings and timestamps are
    read as they are, half stars included, and the ids of users and movies are
    those of MovieLens.

    .. code-block:: python

        data = graph_from_movielens(
            'data/ml-1m', '1m', SentenceEncoder(), min_rating=4, k_core=5
        )

    Args:
        root (str): The root directory of the dataset of PyG.
        name (str, optional): The name of the dataset (:obj:`"latest-small"`,
            :obj:`"100k"`, :obj:`"1m"`). (default: :obj:`"latest-small"`)
        encoder (callable, optional): A function that takes in a list of texts,
            and returns one row of features per text. If given, it encodes the
            title and the genres of each movie as the modality :obj:`"text"`.
            (default: :obj:`None`)
        genres (bool, optional): If set to :obj:`False`, will not add the
            modality :obj:`"genre"`, with one column per genre.
            (default: :obj:`True`)
        all_items (bool, optional): If set to :obj:`True`, will keep movies
            without ratings, and those that are filtered out.
            (default: :obj:`False`)
        cache (str, optional): The path of the file to keep the encoded texts in,
            see :meth:`~lgmrec_pyg.encoders.encode`. (default: :obj:`None`)
        **kwargs (optional): Additional arguments of
            :meth:`~lgmrec_pyg.datasets.graph_from_interactions`, such as
            :obj:`min_rating`, :obj:`k_core` or :obj:`split`.

    Raises:
        ValueError: If the name is unknown or a file is malformed.
    """
    if name not in CLASSES:
        raise ValueError(f"'name' needs to be one of {tuple(CLASSES)} (got {name!r})")
    paths = _download(root, name)
    movies = _read_movies(paths[0], name)
    labels, texts = {}, {}
    for id_, title, listed in movies.itertuples(index=False, name=None):
        labels[id_] = [label for label in listed.split('|') if label not in NO_GENRES]
        texts[id_] = '. '.join(filter(None, [title, ', '.join(labels[id_])]))
    return graph_of_described_items(
        _read_ratings(paths[1:], name),
        texts,
        {'genre': labels} if genres else {},
        encoder,
        all_items,
        cache,
        **kwargs,
    )


def _download(root: str, name: str) -> list[str]:
    # Processing downloads a language model, drops titles and rounds ratings:
    nothing = {'has_process': False, 'load': lambda *args, **kwargs: None}
    return list(type(name, (CLASSES[name],), nothing)(root).raw_paths)


def _read_movies(path: str, name: str) -> pd.DataFrame:
    if name == 'latest-small':
        return _read_csv(path, MOVIES)
    options: dict[str, Any] = {'encoding': 'ISO-8859-1', 'quoting': csv.QUOTE_NONE}
    if name == '1m':
        options |= {'sep': '::', 'engine': 'python', 'names': list(MOVIES)}
        return _read_csv(path, MOVIES, **options)
    options |= {'sep': '|', 'names': MOVIE_HEADERS}
    types = dict.fromkeys(MOVIE_HEADERS, 'str') | {'movieId': 'int64'}
    frame = _read_csv(path, types, **options)
    names = np.array(MOVIE_HEADERS[5:])
    flags = (frame[names] == '1').to_numpy()
    listed = ['|'.join(names[row]) for row in flags]
    return frame[['movieId', 'title']].assign(genres=listed)


def _read_ratings(paths: list[str], name: str) -> pd.DataFrame:
    if name == 'latest-small':
        return _read_csv(paths[0], RATINGS)
    if name == '100k':
        options: dict[str, Any] = {'sep': '\t', 'names': list(RATINGS)}
        return pd.concat([_read_csv(path, RATINGS, **options) for path in paths[1:3]])
    # Every other field is what the single-character separator finds inside '::'.
    places = dict(zip([0, 2, 4, 6], RATINGS.values(), strict=True))
    frame = _read_csv(paths[1], places, sep=':', header=None)
    return frame.set_axis(RATING_HEADERS, axis=1)


def _read_csv(path: str, types: dict[Any, Any], **options: Any) -> pd.DataFrame:
    with (
        reading(path, f'a table with the columns {list(types)}'),
        warnings.catch_warnings(),
    ):
        # Rows longer than the first would silently lose their last fields:
        warnings.simplefilter('error', pd.errors.ParserWarning)
        options |= {'dtype': types, 'index_col': False, 'keep_default_na': False}
        return pd.read_csv(path, **options)[list(types)]
