import os
import os.path as osp
from collections.abc import Callable, Sequence

from torch import Tensor

from lgmrec_pyg.datasets._download import DownloadError, download
from lgmrec_pyg.datasets.amazon.conversion import (
    BASE_URL,
    CATEGORIES,
    FILES,
    convert_amazon,
    finish_conversion,
    raw_path,
    raw_url,
)
from lgmrec_pyg.datasets.multimodal import ID_FILES, SUFFIX, MultimodalDataset
from lgmrec_pyg.encoders import SentenceEncoder
from lgmrec_pyg.graph import ITEM
from lgmrec_pyg.storage.atomic import locked

SOURCE = (
    'They are distributed as part of MMRec (https://github.com/enoche/MMRec), see its '
    'data folder.'
)
MODALITIES = ('image', 'text')


class AmazonMultimodal(MultimodalDataset):
    r"""The Amazon Baby, Sports and Clothing datasets of the `"LGMRec: Local and
    Global Graph Learning for Multimodal Recommendation"
    <https://arxiv.org/abs/2312.16400>`_ paper, with visual features of the
    product images and sentence embeddings of the product texts.

    Ready-made files, placed as described in :class:`MultimodalDataset`, are read.
    If there are none, the `Amazon product data
    <https://jmcauley.ucsd.edu/data/amazon/links.html>`_ is downloaded to
    :obj:`<root>/<name>/raw`, unless it is there already, and converted: users and
    items of the 5-core, one tenth of the interactions of every user for
    validation and another one for test, visual features as published, and
    sentence embeddings of the titles, brands, categories and descriptions.
    Items without an image or a text lack the modality.
    The visual features of Clothing alone take up 18 GB.

    Baby has 19,445 users, 7,050 items and 160,792 interactions, Sports 35,598,
    18,357 and 296,337, and Clothing 39,387, 23,033 and 278,677.

    Once converted, the files are ready-made: a folder keeps its split and its
    features, so use another :obj:`root` for another :obj:`split_seed` or
    :obj:`text_encoder`.

    Args:
        root (str): The directory that holds the folder of the dataset.
        name (str): The name of the dataset (:obj:`"baby"`, :obj:`"sports"`,
            :obj:`"clothing"`).
        modalities (List[str], optional): The modalities to read.
            (default: :obj:`("image", "text")`)
        transform, pre_transform, force_reload, processed_dir (optional): See
            :class:`MultimodalDataset`.
        download (bool, optional): If set to :obj:`False`, will neither download
            nor convert anything. (default: :obj:`True`)
        text_encoder (callable, optional): A function that takes in a list of
            texts, and returns a tensor with one row per text, see
            :meth:`~lgmrec_pyg.encoders.encode`. If set to :obj:`None`, will use
            :class:`~lgmrec_pyg.encoders.SentenceEncoder`.
            (default: :obj:`None`)
        split_seed (int, optional): The seed of the split into training,
            validation and test. (default: :obj:`0`)
        base_url (str, optional): The address of the Amazon product data.
            (default: :obj:`"http://snap.stanford.edu/data/amazon/productGraph"`)

    Raises:
        FileNotFoundError: If the files are missing and cannot be downloaded.
        ImportError: If :obj:`sentence-transformers` is needed, but missing.
    """

    source = SOURCE

    def __init__(
        self,
        root: str,
        name: str,
        modalities: Sequence[str] | None = ('image', 'text'),
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        force_reload: bool = False,
        processed_dir: str | None = None,
        download: bool = True,
        text_encoder: Callable[[list[str]], Tensor] | None = None,
        split_seed: int = 0,
        base_url: str = BASE_URL,
    ) -> None:
        name = name.lower()
        if name not in CATEGORIES:
            raise ValueError(f"'name' needs to be in {[*CATEGORIES]} (got '{name}')")
        folder = osp.join(osp.expanduser(root), name)
        if modalities is None and not osp.exists(osp.join(folder, f'{name}.inter')):
            modalities = MODALITIES
        self._may_download = download
        self._text_encoder = text_encoder
        self._split_seed = split_seed
        self._base_url = base_url
        options = transform, pre_transform, force_reload, processed_dir
        super().__init__(root, name, modalities, *options)

    def download(self) -> None:
        r"""Downloads and converts the files, as far as there are none."""
        inter = self.raw_file_names[0]
        if self._may_download and set(self.modalities) <= set(MODALITIES):
            os.makedirs(self.raw_dir, exist_ok=True)
            with locked(self.raw_dir):
                finish_conversion(self.raw_dir, last=inter)
                files = set(os.listdir(self.raw_dir))
                kinds = [m for m in self.modalities if m + SUFFIX not in files]
                if inter not in files and not any(f.endswith(SUFFIX) for f in files):
                    self._prepare(['reviews', *kinds])
                elif {inter, ID_FILES[ITEM]} <= files and kinds:
                    self._prepare(kinds)
        if not all(map(osp.isfile, self.raw_paths)):
            super().download()

    def _prepare(self, kinds: list[str]) -> None:
        encoder = self._text_encoder
        if 'text' in kinds and encoder is None:
            try:
                encoder = SentenceEncoder()
            except ImportError as error:
                others = "Or pass a 'text_encoder', or 'modalities' without 'text'"
                ready = f"or place ready-made files in '{self.raw_dir}'. {SOURCE}"
                raise ImportError(f'{error}\n{others}, {ready}') from None
        for kind in sorted(kinds, key=list(FILES).index):  # From small to large.
            if kind == 'image' and encoder is not None:
                encoder(['A baby bottle.'])  # Before gigabytes are downloaded.
            self._fetch(kind, kinds)
        convert_amazon(self.raw_dir, self.name, kinds, encoder, self._split_seed)

    def _fetch(self, kind: str, kinds: list[str]) -> str:
        urls = {kind: raw_url(self.name, kind, self._base_url) for kind in kinds}
        paths = {kind: raw_path(self.raw_dir, self.name, kind) for kind in kinds}
        try:
            return download(urls[kind], paths[kind])
        except DownloadError as error:
            missing = [urls[kind] for kind in kinds if not osp.isfile(paths[kind])]
            raise FileNotFoundError(f'{error}.\n{self._ways_out(missing)}') from None

    def _ways_out(self, urls: list[str]) -> str:
        lines = [
            f'Or fetch the following files by hand, e.g., in a browser, and place them '
            f"in '{osp.join(self.raw_dir, 'raw')}' as they are:",
            *(f'  {url}' for url in urls),
        ]
        if not osp.isfile(self.raw_paths[0]):  # Others have items in another order.
            names = ', '.join(self.raw_file_names)
            lines.append(f"Or place ready-made files in '{self.raw_dir}': {names}.")
            lines.append(SOURCE)
        return '\n'.join(lines)
