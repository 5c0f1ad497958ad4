import hashlib
import os
import os.path as osp
import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import HeteroData, InMemoryDataset

from lgmrec_pyg.datasets.assemble import warn_unseen
from lgmrec_pyg.datasets.layout import read_features, read_ids, read_interactions
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    describes,
    set_ids,
    validate_graph,
)
from lgmrec_pyg.storage import atomic_write, reading

ADDRESS = re.compile(r' at 0x[0-9a-fA-F]+')
SUFFIX = '_feat.npy'
LAYOUT = (
    "An '.inter' file holds the tab-separated columns 'userID', 'itemID' and "
    f"'x_label' (0: training, 1: validation, 2: test), and a '<modality>{SUFFIX}' file "
    'one row of features per item. Please place them there.'
)
ID_FILES = {USER: 'user_ids.txt', ITEM: 'item_ids.txt'}
MAPPINGS = {USER: 'u_id_mapping.csv', ITEM: 'i_id_mapping.csv'}  # Of MMRec.


class MultimodalDataset(InMemoryDataset):
    r"""A multimodal recommendation dataset in the folder layout that the field
    shares, as a :class:`~torch_geometric.data.HeteroData` object.

    .. code-block:: none

        <root>/<name>/<name>.inter           userID, itemID, x_label per line
        <root>/<name>/<modality>_feat.npy    features, one row per item
        <root>/<name>/user_ids.txt           optional: the id of a user per line
        <root>/<name>/item_ids.txt           optional: the id of an item per line
        <root>/<name>/u_id_mapping.csv       instead, as MMRec writes it: the ids of
        <root>/<name>/i_id_mapping.csv       users and items with their numbers

    The training pairs (:obj:`x_label` 0) become the :obj:`edge_index` of
    :obj:`("user", "interacts", "item")`, and those of validation (1) and test
    (2) its :obj:`val_edge_label_index` and :obj:`test_edge_label_index`.
    Each modality becomes a node type whose :math:`n`-th node describes the
    :math:`n`-th item, not counting items that lack the modality: their rows hold
    nothing but :obj:`nan`, and become no nodes. A modality that all items lack is an
    error. All-zero rows are content, as in published code, unless
    :class:`~lgmrec_pyg.transforms.RemoveMissing` removes them.
    The optional ids become the lists :obj:`ids` of users and items.
    Users and items without training pairs are kept, and counted in a warning.

    The folder is only read. It is processed anew whenever the size or the
    modification time of a file in it has changed, or :obj:`pre_transform` (of functions
    within a transform, the name).

    Args:
        root (str): The directory that holds the folder of the dataset.
        name (str): The name of the dataset and its folder.
        modalities (List[str], optional): The modalities to read. Their order
            is kept: models that contrast modalities anchor on the first.
            If set to :obj:`None`, will read all modalities in the folder in
            alphabetical order. (default: :obj:`None`)
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

    Raises:
        FileNotFoundError: If a file of the layout is missing.
        OSError: If the processed dataset cannot be written.
        ValueError: If a file is malformed, in which case nothing is written.
    """

    source = ''

    def __init__(
        self,
        root: str,
        name: str,
        modalities: Sequence[str] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        force_reload: bool = False,
        processed_dir: str | None = None,
    ) -> None:
        self.root, self.name = osp.expanduser(root), name
        processed_dir = processed_dir or osp.join(self.raw_dir, 'processed')
        self._processed_dir = osp.expanduser(processed_dir)
        names = self._find_modalities() if modalities is None else modalities
        if isinstance(names, str) or len({*names, USER, ITEM}) < len(names) + 2:
            raise ValueError(
                f"'modalities' needs to be a list of distinct names other than "
                f"'{USER}' and '{ITEM}' (got {names!r})"
            )
        self.modalities = list(names)
        super().__init__(self.root, transform, pre_transform, force_reload=force_reload)
        path = self.processed_paths[0]
        with reading(path, 'a processed graph: delete it, and it is made anew'):
            # `self.load` would fall back to loading anything, code included:
            content, self.slices, _ = torch.load(path, weights_only=True)
            self.data = HeteroData.from_dict(content)

    @classmethod
    def from_folder(cls, path: str, **kwargs: object) -> 'MultimodalDataset':
        r"""Opens a folder in the layout.

        Args:
            path (str): The path of the folder, which is named like the
                ``.inter`` file in it.
            **kwargs (optional): Additional arguments of the dataset.
        """
        root, name = osp.split(osp.abspath(osp.expanduser(path)))
        return cls(root, name, **kwargs)  # type: ignore[arg-type]

    @property
    def raw_dir(self) -> str:
        return osp.join(self.root, self.name)

    @property
    def processed_dir(self) -> str:
        return self._processed_dir

    @property
    def raw_file_names(self) -> list[str]:
        return [f'{self.name}.inter'] + [m + SUFFIX for m in self.modalities]

    @property
    def processed_file_names(self) -> str:
        files = [*self.raw_paths, *self._id_paths().values()]
        stats = [(os.stat(f).st_size, os.stat(f).st_mtime_ns) for f in files]
        version = str(stats)
        if self.pre_transform is not None:
            code = getattr(self.pre_transform, '__code__', None)
            content = '' if code is None else (code.co_code.hex(), code.co_consts)
            version += ADDRESS.sub('', f'{self.pre_transform}{content}')
        digest = hashlib.sha256(version.encode()).hexdigest()[:8]
        return '_'.join([self.name, *self.modalities, digest]) + '.pt'

    def download(self) -> None:
        missing = [path for path in self.raw_paths if not osp.isfile(path)]
        found = '\n  '.join([f"Dataset '{self.name}' lacks the files:", *missing])
        raise FileNotFoundError(f'{found}\n{LAYOUT} {self.source}'.rstrip())

    def _download(self) -> None:
        # Unlike that of PyG, creates no folder where there is none.
        if not all(map(osp.isfile, self.raw_paths)):
            self.download()

    def _process(self) -> None:
        # PyG loads notes of former transforms, which may run code. Here, the name
        # of the processed file tells transforms apart.
        if self.force_reload or not osp.exists(self.processed_paths[0]):
            self.process()

    def process(self) -> None:
        data = self._read_graph()
        if self.pre_transform is not None:
            data = self.pre_transform(data)
        with atomic_write(self.processed_paths[0]) as partial:
            self.save([data], partial)

    def _read_graph(self) -> HeteroData:
        train, val, test, num_users, num_items = read_interactions(self.raw_paths[0])
        ids = {key: read_ids(path) for key, path in self._id_paths().items()}
        num_users = max(num_users, len(ids.get(USER, [])))
        num_items = max(num_items, len(ids.get(ITEM, [])))
        features = self._read_features(num_items)
        num_items = max([num_items, *(x.size(0) for x in features.values())])
        data = HeteroData()
        data[USER].num_nodes, data[ITEM].num_nodes = num_users, num_items
        for node_type in ids:
            set_ids(data, node_type, ids[node_type])
        data[INTERACTS].edge_index = train
        data[INTERACTS].val_edge_label_index = val
        data[INTERACTS].test_edge_label_index = test
        for modality, x in features.items():
            item = (~x[:, 0].isnan()).nonzero().flatten()
            data[modality].x = x[item] if item.numel() < num_items else x
            edge_index = torch.stack([torch.arange(item.numel()), item])
            data[describes(modality)].edge_index = edge_index
        with reading(self.raw_dir, 'a folder whose files fit together'):
            validate_graph(data)
        warn_unseen(f"Dataset '{self.name}'", data)
        return data

    def _read_features(self, num_items: int) -> dict[str, Tensor]:
        paths = zip(self.modalities, self.raw_paths[1:], strict=True)
        features = {key: read_features(path, num_items) for key, path in paths}
        num_rows = {modality: x.size(0) for modality, x in features.items()}
        if len(set(num_rows.values())) > 1:
            raise ValueError(
                f"The '*{SUFFIX}' files in '{self.raw_dir}' need to have equally "
                f'many rows, one per item (got {num_rows})'
            )
        return features

    def _id_paths(self) -> dict[str, str]:
        names = [*MAPPINGS.items(), *ID_FILES.items()]
        known = [(key, osp.join(self.raw_dir, name)) for key, name in names]
        return {key: path for key, path in known if osp.isfile(path)}

    def _find_modalities(self) -> list[str]:
        files = sorted(os.listdir(self.raw_dir)) if osp.isdir(self.raw_dir) else []
        return [f.removesuffix(SUFFIX) for f in files if f.endswith(SUFFIX)]
