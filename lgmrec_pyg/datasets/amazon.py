from collections.abc import Callable, Sequence

from lgmrec_pyg.datasets.multimodal import MultimodalDataset

NAMES = ('baby', 'sports', 'clothing')


class AmazonMultimodal(MultimodalDataset):
    r"""The Amazon Baby, Sports and Clothing datasets of the `"LGMRec: Local and
    Global Graph Learning for Multimodal Recommendation"
    <https://arxiv.org/abs/2312.16400>`_ paper, with visual features of the
    product images and sentence embeddings of the product texts.

    The files cannot be downloaded automatically: place them as described in
    :class:`MultimodalDataset`.

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

    source = (
        'They are distributed as part of MMRec (https://github.com/enoche/MMRec), '
        'see its data folder.'
    )

    def __init__(
        self,
        root: str,
        name: str,
        modalities: Sequence[str] | None = ('image', 'text'),
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        force_reload: bool = False,
        processed_dir: str | None = None,
    ) -> None:
        name = name.lower()
        if name not in NAMES:
            raise ValueError(f"'name' needs to be one of {NAMES} (got '{name}')")
        super().__init__(
            root,
            name,
            modalities,
            transform,
            pre_transform,
            force_reload,
            processed_dir,
        )
