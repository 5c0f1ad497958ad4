import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch_geometric.data import HeteroData
from torch_geometric.datasets import MovieLens, MovieLens1M, MovieLens100K
from torch_geometric.datasets.movie_lens_100k import MOVIE_HEADERS, RATING_HEADERS

from lgmrec_pyg.datasets.described_graph import graph_of_described_items

if TYPE_CHECKING:
    import pandas as pd

CLASSES = {'latest-small': MovieLens, '100k': MovieLens100K, '1m': MovieLens1M}
NO_GENRES = ('unknown', '(no genres listed)')
MOVIE = 'movieId'
RATING_TYPES = ('int64', 'int64', 'float64', 'int64')
ID = re.compile(r'[0-9]{1,18}')


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
    labels = {id_: labels for id_, (_, labels) in movies.items()}
    return graph_of_described_items(
        _read_ratings(paths, name),
        {id_: '. '.join(_parts(*movie)) for id_, movie in movies.items()},
        {'genre': labels} if genres else {},
        encoder,
        all_items,
        cache,
        **kwargs,
    )


class _RawFiles:
    # Processing downloads a language model, drops titles and rounds ratings.
    has_process = False

    def load(self, *args: Any, **kwargs: Any) -> None:
        pass


def _download(root: str, name: str) -> list[str]:
    cls = CLASSES[name]
    dataset = type(cls.__name__, (_RawFiles, cls), {})(root)
    return list(dataset.raw_paths)


def _read_movies(path: str, name: str) -> dict[int, tuple[str, list[str]]]:
    if name == 'latest-small':
        types = {MOVIE: 'int64', 'title': 'str', 'genres': 'str'}
        frame = _read_csv(path, types, keep_default_na=False)
        rows = frame.itertuples(index=False, name=None)
        return {id_: (title, _split(genres)) for id_, title, genres in rows}
    separator = '|' if name == '100k' else '::'
    num_fields = len(MOVIE_HEADERS) if name == '100k' else 3
    movies = {}
    with open(path, encoding='ISO-8859-1') as file:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            fields = line.rstrip('\n').split(separator)
            if len(fields) != num_fields or not ID.fullmatch(fields[0]):
                raise ValueError(
                    f"'{path}' needs to have {num_fields} fields separated by "
                    f"'{separator}' in every line, the first one an integer (got "
                    f'{line.rstrip()[:50]!r} in line {number})'
                )
            genres = _split(fields[-1]) if name == '1m' else _flagged(fields)
            movies[int(fields[0])] = fields[1], genres
    return movies


def _read_ratings(paths: list[str], name: str) -> 'pd.DataFrame':
    import pandas as pd

    types = dict(zip(RATING_HEADERS, RATING_TYPES, strict=True))
    if name == 'latest-small':
        return _read_csv(paths[1], types)
    if name == '100k':
        options: dict[str, Any] = {'sep': '\t', 'names': RATING_HEADERS}
        return pd.concat(_read_csv(path, types, **options) for path in paths[2:4])
    # Every other field is what the single-character separator finds inside '::'.
    places = dict(zip([0, 2, 4, 6], RATING_TYPES, strict=True))
    frame = _read_csv(paths[2], places, sep=':', header=None)
    return frame.set_axis(RATING_HEADERS, axis=1)


def _read_csv(path: str, types: dict[Any, str], **options: Any) -> 'pd.DataFrame':
    import pandas as pd

    with warnings.catch_warnings():
        # Rows longer than the first would silently lose their last fields:
        warnings.simplefilter('error', pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(path, dtype=types, index_col=False, **options)
            return frame[list(types)]
        except (LookupError, OverflowError, ValueError, Warning) as error:
            raise ValueError(
                f"'{path}' needs to have columns of the types {types} ({error})"
            ) from error


def _split(genres: str) -> list[str]:
    return [name for name in genres.split('|') if name not in NO_GENRES]


def _flagged(fields: list[str]) -> list[str]:
    flags = zip(MOVIE_HEADERS[5:], fields[5:], strict=True)
    return [name for name, flag in flags if flag == '1' and name not in NO_GENRES]


def _parts(title: str, genres: list[str]) -> list[str]:
    return [title, ', '.join(genres)] if genres else [title]
