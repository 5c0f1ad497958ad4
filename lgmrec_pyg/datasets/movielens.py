import csv
import os
import os.path as osp
import shutil
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from torch_geometric.data import HeteroData
from torch_geometric.datasets.movie_lens_100k import MOVIE_HEADERS, RATING_HEADERS

from lgmrec_pyg.datasets._download import download
from lgmrec_pyg.datasets.described import graph_of_described_items
from lgmrec_pyg.storage import atomic_write, reading

URL = 'https://files.grouplens.org/datasets/movielens'
FILES = {  # The folder in the archive, the file of movies, and those of ratings.
    'latest-small': ('ml-latest-small', 'movies.csv', 'ratings.csv'),
    'latest': ('ml-latest', 'movies.csv', 'ratings.csv'),
    '100k': ('ml-100k', 'u.item', 'u1.base', 'u1.test'),
    '1m': ('ml-1m', 'movies.dat', 'ratings.dat'),
    '10m': ('ml-10M100K', 'movies.dat', 'ratings.dat'),
    '20m': ('ml-20m', 'movies.csv', 'ratings.csv'),
    '25m': ('ml-25m', 'movies.csv', 'ratings.csv'),
    '32m': ('ml-32m', 'movies.csv', 'ratings.csv'),
}
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

    Files that are in the folder :obj:`root`, in its :obj:`raw`, or in a folder in
    these that is named like in the archive, such as :obj:`ml-25m`, are read; those of
    the datasets of PyG, such as :class:`~torch_geometric.datasets.MovieLens1M`, are
    among them. Else, they are downloaded. Ratings and timestamps are read as they
    are, half stars included, and the ids of users and movies are those of MovieLens.

    .. code-block:: python

        data = graph_from_movielens(
            'data/ml-1m', '1m', SentenceEncoder(), min_rating=4, k_core=5
        )

    Args:
        root (str): The folder of the files.
        name (str, optional): The name of the dataset (:obj:`"latest-small"`,
            :obj:`"latest"`, :obj:`"100k"`, :obj:`"1m"`, :obj:`"10m"`, :obj:`"20m"`,
            :obj:`"25m"`, :obj:`"32m"`). (default: :obj:`"latest-small"`)
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
        DownloadError: If the files are missing, and cannot be downloaded.
        ValueError: If the name is unknown or a file is malformed.
    """
    if name not in FILES:
        raise ValueError(f"'name' needs to be one of {tuple(FILES)} (got {name!r})")
    paths = _find_files(root, name)
    movies = _read_movies(paths[0], name)
    labels, texts = {}, {}
    for id_, title, listed in movies.itertuples(index=False, name=None):
        labels[id_] = [label for label in listed.split('|') if label not in NO_GENRES]
        texts[id_] = '. '.join(filter(None, [title, ', '.join(labels[id_])]))
    return graph_of_described_items(
        _read_ratings(paths[1:]),
        texts,
        {'genre': labels} if genres else {},
        encoder,
        all_items,
        cache,
        **kwargs,
    )


def _find_files(root: str, name: str) -> list[str]:
    folder, *files = FILES[name]
    raw = osp.join(osp.expanduser(root), 'raw')
    # The datasets of PyG move some of the files out of their folder:
    places = [
        osp.join(raw, folder),
        osp.join(osp.dirname(raw), folder),
        raw,
        osp.dirname(raw),
    ]
    for place in places:
        paths = [osp.join(place, file) for file in files]
        if all(map(osp.isfile, paths)):
            return paths
    archive = download(f'{URL}/ml-{name}.zip', osp.join(raw, f'ml-{name}.zip'))
    paths = [osp.join(raw, folder, file) for file in files]
    with (
        reading(archive, 'undamaged: delete it, and it is downloaded again'),
        zipfile.ZipFile(archive) as members,
    ):
        for file, path in zip(files, paths, strict=True):
            with atomic_write(path) as partial, open(partial, 'wb') as out:
                shutil.copyfileobj(members.open(f'{folder}/{file}'), out)
    os.remove(archive)
    return paths


def _read_movies(path: str, name: str) -> pd.DataFrame:
    if path.endswith('.csv'):
        return _read_csv(path, MOVIES)
    encoding = 'utf-8' if name == '10m' else 'ISO-8859-1'
    options: dict[str, Any] = {'encoding': encoding, 'quoting': csv.QUOTE_NONE}
    if path.endswith('.dat'):
        options |= {'sep': '::', 'engine': 'python', 'names': list(MOVIES)}
        return _read_csv(path, MOVIES, **options)
    options |= {'sep': '|', 'names': MOVIE_HEADERS}
    types = dict.fromkeys(MOVIE_HEADERS, 'str') | {'movieId': 'int64'}
    frame = _read_csv(path, types, **options)
    names = np.array(MOVIE_HEADERS[5:])
    flags = (frame[names] == '1').to_numpy()
    listed = ['|'.join(names[row]) for row in flags]
    return frame[['movieId', 'title']].assign(genres=listed)


def _read_ratings(paths: list[str]) -> pd.DataFrame:
    if paths[0].endswith('.csv'):
        return _read_csv(paths[0], RATINGS)
    if not paths[0].endswith('.dat'):
        options: dict[str, Any] = {'sep': '\t', 'names': list(RATINGS)}
        return pd.concat([_read_csv(path, RATINGS, **options) for path in paths])
    # Every other field is what the single-character separator finds inside '::'.
    places = dict(zip([0, 2, 4, 6], RATINGS.values(), strict=True))
    frame = _read_csv(paths[0], places, sep=':', header=None)
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
