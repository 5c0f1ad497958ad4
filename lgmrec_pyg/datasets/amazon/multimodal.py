import os
import os.path as osp
from collections.abc import Callable, Sequence

from torch import Tensor

from lgmrec_pyg.datasets.amazon.conversion import convert_amazon
from lgmrec_pyg.datasets.amazon.download import SOURCE, download_amazon
from lgmrec_pyg.datasets.amazon.publish import finish_publishing, locked
from lgmrec_pyg.datasets.amazon.raw import BASE_URL, CATEGORIES
from lgmrec_pyg.datasets.multimodal import ID_FILES, SUFFIX, MultimodalDataset
from lgmrec_pyg.datasets.read_only import refuse_read_only
from lgmrec_pyg.encoders import SentenceEncoder
from lgmrec_pyg.graph import ITEM

NAMES = tuple(CATEGORIES)
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
    Once converted, the files are ready-made: a folder keeps its split and its
    features, so use another :obj:`root` for another :obj:`split_seed` or
    :obj:`text_encoder`.

    Args:
        root (str): The directory that holds the folder of the dataset.
        name (str): The name of the dataset (:obj:`"baby"`, :obj:`"sports"`,
            :obj:`"clothing"`).
        modalities (List[str], optional): The modalities to read.
            (default: :obj:`("image", "text")`)
        transform (callable, optional): A function/transform that takes in an
            :class:`~torch_geometric.data.HeteroData` object and returns a
            transformed version. The data object will be transformed before
            every access. (default: :obj:`None`)
        pre_transform (callable, optional): A function/transform that takes in
            an :class:`~torch_geometric.data.HeteroData` object and returns a
            transformed version. The data object will be transformed before
            being saved to disk. (default: :obj:`None`)
        force_reload (bool, optional): Whether to re-process the dataset.
            (default: :obj:`False`)
        processed_dir (str, optional): The directory of the processed dataset.
            If set to :obj:`None`, will use :obj:`<root>/<name>/processed`.
            (default: :obj:`None`)
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

    **STATS:**

    .. list-table::
        :widths: 10 10 10 10 20
        :header-rows: 1

        * - Name
          - #users
          - #items
          - #interactions
          - #features
        * - Baby
          - 19,445
          - 7,050
          - 160,792
          - image 4,096, text 384
        * - Sports
          - 35,598
          - 18,357
          - 296,337
          - image 4,096, text 384
        * - Clothing
          - 39,387
          - 23,033
          - 278,677
          - image 4,096, text 384
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
        if name not in NAMES:
            raise ValueError(f"'name' needs to be one of {NAMES} (got '{name}')")
        folder = osp.join(osp.expanduser(root), name)
        if modalities is None and not osp.exists(osp.join(folder, f'{name}.inter')):
            modalities = MODALITIES
        self._may_download = download
        self._text_encoder = text_encoder
        self._split_seed = split_seed
        self._base_url = base_url
        super().__init__(
            root,
            name,
            modalities,
            transform,
            pre_transform,
            force_reload,
            processed_dir,
        )

    def download(self) -> None:
        r"""Downloads and converts the files, as far as there are none."""
        inter = self.raw_file_names[0]
        if not self._may_download or not set(self.modalities) <= set(MODALITIES):
            return
        refuse_read_only(self.raw_dir)
        with locked(osp.join(self.raw_dir, 'raw')):
            finish_publishing(self.raw_dir, last=inter)
            files = set(os.listdir(self.raw_dir))
            kinds = [m for m in self.modalities if m + SUFFIX not in files]
            if inter not in files and not any(f.endswith(SUFFIX) for f in files):
                self._prepare(['reviews', *kinds])
            elif {inter, ID_FILES[ITEM]} <= files and kinds:
                self._prepare(kinds)

    def _prepare(self, kinds: list[str]) -> None:
        encoder = self._text_encoder
        if 'text' in kinds and encoder is None:
            try:
                encoder = SentenceEncoder()
            except ImportError as error:
                raise ImportError(
                    f"{error}\nOr pass another 'text_encoder', or 'modalities' without "
                    f"'text', or place ready-made files in '{self.raw_dir}'. "
                    f'{self.source}'
                ) from error
        download_amazon(self.raw_dir, self.name, kinds, encoder, self._base_url)
        modalities = [kind for kind in kinds if kind in MODALITIES]
        convert_amazon(self.raw_dir, self.name, modalities, encoder, self._split_seed)
