import hashlib
import os
import os.path as osp
import tempfile
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import HeteroData, InMemoryDataset

from lgmrec_pyg.datasets.layout import read_features, read_ids, read_interactions
from lgmrec_pyg.datasets.processed import load_graph, load_note
from lgmrec_pyg.datasets.read_only import refuse_read_only
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, describes, validate_graph
from lgmrec_pyg.storage.atomic import atomic_write

SUFFIX = '_feat.npy'
NOTES = ('pre_transform.pt', 'pre_filter.pt')
ID_FILES = {USER: 'user_ids.txt', ITEM: 'item_ids.txt'}


class MultimodalDataset(InMemoryDataset):
    r"""A multimodal recommendation dataset in the folder layout that the field
    shares, as a :class:`~torch_geometric.data.HeteroData` object.

    .. code-block:: none

        <root>/<name>/<name>.inter           userID, itemID, x_label per line
        <root>/<name>/<modality>_feat.npy    features, one row per item
        <root>/<name>/user_ids.txt           optional: the id of a user per line
        <root>/<name>/item_ids.txt           optional: the id of an item per line

    The training pairs (:obj:`x_label` 0) become the :obj:`edge_index` of
    :obj:`("user", "interacts", "item")`, and those of validation (1) and test
    (2) its :obj:`val_edge_label_index` and :obj:`test_edge_label_index`.
    Each modality becomes a node type whose :math:`n`-th node describes the
    :math:`n`-th item, not counting items that lack the modality: their rows hold
    nothing but :obj:`nan`, and become no nodes. All-zero rows are kept as such.
    The optional ids become the lists :obj:`ids` of users and items.
    Users and items without training pairs are kept, and counted in a warning.

    The folder is only read. It is processed anew whenever the size or the
    modification time of a file in it has changed.

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
        PermissionError: If the processed dataset cannot be written.
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
        if isinstance(modalities, str):
            raise ValueError(
                f"'modalities' needs to be a list of names (got '{modalities}')"
            )
        root = osp.expanduser(root)
        self.name = name
        self._raw_dir = osp.join(root, name)
        self._processed_dir = osp.expanduser(
            processed_dir or osp.join(self._raw_dir, 'processed')
        )
        self.modalities = list(
            self._find_modalities() if modalities is None else modalities
        )
        _check_modalities(self.modalities)
        if self.has_download and not all(map(osp.isfile, self.raw_paths)):
            self.download()
        self._check_files()
        if force_reload or not osp.exists(self.processed_paths[0]):
            self._check_writable()
        super().__init__(root, transform, pre_transform, force_reload=force_reload)
        self.data, self.slices = load_graph(self.processed_paths[0])

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
        return self._raw_dir

    @property
    def processed_dir(self) -> str:
        return self._processed_dir

    @property
    def raw_file_names(self) -> list[str]:
        return [f'{self.name}.inter'] + [m + SUFFIX for m in self.modalities]

    @property
    def processed_file_names(self) -> str:
        stats = [
            os.stat(path) for path in [*self.raw_paths, *self._id_paths().values()]
        ]
        version = str([(stat.st_size, stat.st_mtime_ns) for stat in stats])
        digest = hashlib.sha256(version.encode()).hexdigest()[:8]
        return '_'.join([self.name, *self.modalities, digest]) + '.pt'

    def _process(self) -> None:
        # PyG loads these without restrictions, and folders are passed around.
        for path in (osp.join(self.processed_dir, name) for name in NOTES):
            if osp.exists(path) and not self.force_reload:
                load_note(path)
        super()._process()

    def process(self) -> None:
        try:
            data = self._read_graph()
            if self.pre_transform is not None:
                data = self.pre_transform(data)
            with atomic_write(self.processed_paths[0]) as partial:
                self.save([data], partial)
        finally:
            if not os.listdir(self.processed_dir):
                os.rmdir(self.processed_dir)

    def _read_graph(self) -> HeteroData:
        train, val, test, num_users, num_items = read_interactions(self.raw_paths[0])
        ids = {
            node_type: read_ids(path) for node_type, path in self._id_paths().items()
        }
        num_users = max(num_users, len(ids.get(USER, [])))
        num_items = max(num_items, len(ids.get(ITEM, [])))
        features = self._read_features(num_items)
        num_items = max([num_items, *(x.size(0) for x in features.values())])
        data = HeteroData()
        data[USER].num_nodes = num_users
        data[ITEM].num_nodes = num_items
        for node_type in ids:
            self._check_ids(node_type, len(ids[node_type]), data[node_type].num_nodes)
            data[node_type].ids = ids[node_type]
        data[INTERACTS].edge_index = train
        data[INTERACTS].val_edge_label_index = val
        data[INTERACTS].test_edge_label_index = test
        for modality, x in features.items():
            is_missing = x[:, 0].isnan()
            item = (~is_missing).nonzero().flatten()
            data[modality].x = x[item] if is_missing.any() else x
            data[describes(modality)].edge_index = torch.stack(
                [torch.arange(item.numel()), item]
            )
        validate_graph(data)
        _warn_unseen(self.name, data)
        return data

    def _read_features(self, num_items: int) -> dict[str, Tensor]:
        features: dict[str, Tensor] = {}
        for modality, path in zip(self.modalities, self.raw_paths[1:], strict=True):
            features[modality] = read_features(path, num_items)
        num_rows = {modality: x.size(0) for modality, x in features.items()}
        if len(set(num_rows.values())) > 1:
            raise ValueError(
                f"The '*{SUFFIX}' files in '{self.raw_dir}' need to have equally "
                f'many rows, one per item (got {num_rows})'
            )
        return features

    def _id_paths(self) -> dict[str, str]:
        paths = {key: osp.join(self.raw_dir, name) for key, name in ID_FILES.items()}
        return {key: path for key, path in paths.items() if osp.isfile(path)}

    def _check_ids(self, node_type: str, num_ids: int, num_nodes: int) -> None:
        if num_ids < num_nodes:
            raise ValueError(
                f"'{self._id_paths()[node_type]}' needs to hold an id for each of the "
                f'{num_nodes} {node_type}s (got {num_ids})'
            )

    def _find_modalities(self) -> list[str]:
        if not osp.isdir(self.raw_dir):
            return []
        files = sorted(os.listdir(self.raw_dir))
        return [f.removesuffix(SUFFIX) for f in files if f.endswith(SUFFIX)]

    def _check_files(self) -> None:
        missing = [path for path in self.raw_paths if not osp.isfile(path)]
        if missing:
            lines = [f"Dataset '{self.name}' lacks the following files:", *missing]
            raise FileNotFoundError(
                '\n  '.join(lines)
                + "\nAn '.inter' file holds the tab-separated columns 'userID', "
                "'itemID' and 'x_label' (0: training, 1: validation, 2: test), and "
                f"a '<modality>{SUFFIX}' file holds one row of features per item. "
                f'Please place them there. {self.source}'.rstrip()
            )

    def _check_writable(self) -> None:
        try:
            refuse_read_only(self.processed_dir)
            os.makedirs(self.processed_dir, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.processed_dir):
                pass
        except OSError as error:
            raise PermissionError(
                f'The processed dataset cannot be written to '
                f"'{self.processed_dir}': pass a writable directory as "
                f"'processed_dir' ({error})"
            ) from error


def _check_modalities(modalities: Sequence[str]) -> None:
    if len(set(modalities)) < len(modalities) or {USER, ITEM} & set(modalities):
        raise ValueError(
            f"'modalities' needs to hold distinct names other than '{USER}' and "
            f"'{ITEM}' (got {list(modalities)})"
        )


def _warn_unseen(name: str, data: HeteroData) -> None:
    pairs, counts = data[INTERACTS].edge_index, []
    for row, node_type in zip(pairs, (USER, ITEM), strict=True):
        num_nodes = data[node_type].num_nodes
        counts.append(f'{num_nodes - row.unique().numel()} of {num_nodes} {node_type}s')
    if any(not count.startswith('0 ') for count in counts):
        warnings.warn(
            f"Dataset '{name}' has {' and '.join(counts)} without a training pair, "
            f'which are kept',
            stacklevel=2,
        )
