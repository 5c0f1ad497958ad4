import os.path as osp
from collections.abc import Callable, Sequence

from torch import Tensor

from lgmrec_pyg.datasets._download import download
from lgmrec_pyg.datasets.amazon.raw import BASE_URL, FILES, raw_path, raw_url

SOURCE = (
    'They are distributed as part of MMRec (https://github.com/enoche/MMRec), see its '
    'data folder.'
)


def download_amazon(
    folder: str,
    name: str,
    kinds: Sequence[str],
    text_encoder: Callable[[list[str]], Tensor] | None = None,
    base_url: str = BASE_URL,
    progress: bool = True,
) -> None:
    r"""Downloads files of the Amazon product data to :obj:`<folder>/raw`, those
    of them that are not there yet.

    Args:
        folder (str): The path of the folder of the dataset.
        name (str): The name of the dataset (:obj:`"baby"`, :obj:`"sports"`,
            :obj:`"clothing"`).
        kinds (List[str]): What the files hold (:obj:`"reviews"`,
            :obj:`"text"`, :obj:`"image"`).
        text_encoder (callable, optional): The encoder of the product texts, to
            be tried on a text before gigabytes are downloaded.
            (default: :obj:`None`)
        base_url (str, optional): The address of the folder of all files.
            (default: :obj:`"http://snap.stanford.edu/data/amazon/productGraph"`)
        progress (bool, optional): If set to :obj:`False`, will not show
            progress bars. (default: :obj:`True`)

    Raises:
        FileNotFoundError: If a file cannot be downloaded, in which case the
            message says how to get it by hand.
    """
    try:
        for kind in sorted(kinds, key=list(FILES).index):  # From small to large.
            if kind == 'image' and text_encoder is not None:
                text_encoder(['A baby bottle.'])
            path, url = raw_path(folder, name, kind), raw_url(name, kind, base_url)
            download(url, path, progress=progress)
    except OSError as error:
        if error.errno is not None:  # Such as a full disk, of which it tells.
            raise
        message = _instructions(folder, name, kinds, base_url, str(error))
        raise FileNotFoundError(message) from None  # It holds the reason.


def _instructions(
    folder: str, name: str, kinds: Sequence[str], base_url: str, reason: str
) -> str:
    missing = [k for k in kinds if not osp.isfile(raw_path(folder, name, k))]
    lines = [f"Dataset '{name}' could not be downloaded: {reason}."]
    if missing:
        lines += [
            '',
            'Run again to continue, or fetch the following files by hand, e.g., in a',
            f"browser, and place them in '{osp.join(folder, 'raw')}' as they are:",
            *(f'  {raw_url(name, kind, base_url)}' for kind in missing),
        ]
    if 'reviews' in kinds:  # Others have the items in another order.
        files = [f'{name}.inter', *(f'{k}_feat.npy' for k in kinds if k != 'reviews')]
        lines += [
            '',
            f"Or place ready-made files in '{folder}': {', '.join(files)}.",
            SOURCE,
        ]
    return '\n'.join(lines)
