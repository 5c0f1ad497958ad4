import copy
import os
import re
import stat
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import AmazonMultimodal, MultimodalDataset
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, modalities, validate_graph
from lgmrec_pyg.storage import fingerprint
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency

ROWS = '0\t0\t0\n0\t1\t0\n0\t2\t1\n1\t1\t0\n1\t0\t2\n'


def write_folder(
    root: Path,
    name: str = 'shop',
    rows: str = ROWS,
    features: tuple[str, ...] = ('text', 'image'),
    num_rows: int = 3,
) -> Path:
    folder = root / name
    folder.mkdir()
    (folder / f'{name}.inter').write_text('userID\titemID\tx_label\n' + rows)
    for i, modality in enumerate(features):
        x = np.arange(num_rows * (i + 2), dtype=np.float32).reshape(num_rows, -1)
        np.save(folder / f'{modality}_feat.npy', x)
    return folder


def open_quietly(*args: object, **kwargs: object) -> MultimodalDataset:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        return MultimodalDataset(*args, **kwargs)  # type: ignore[arg-type]


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*')}


def test_multimodal_dataset(tmp_path: Path) -> None:
    write_folder(tmp_path)
    with pytest.warns(UserWarning, match='0 users and 1 items without'):
        dataset = MultimodalDataset(str(tmp_path), 'shop')
    assert str(dataset) == 'MultimodalDataset()'
    assert len(dataset) == 1
    assert dataset.raw_file_names == ['shop.inter', 'image_feat.npy', 'text_feat.npy']
    assert dataset.processed_dir == str(tmp_path / 'shop' / 'processed')

    data = dataset[0]
    assert isinstance(data, HeteroData)
    validate_graph(data)
    assert data.node_types == ['user', 'item', 'image', 'text']
    assert data['user'].num_nodes == 2
    assert data['item'].num_nodes == 3
    assert data['text'].x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert data['image'].x.size() == (3, 3)
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [2]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[1], [0]]
    for modality in modalities(data):
        edge_index = data[describes(modality)].edge_index
        assert edge_index.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_multimodal_dataset_cache(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    open_quietly(str(tmp_path), 'shop')
    files = {path: path.stat().st_mtime_ns for path in folder.glob('processed/shop*')}
    assert len(files) == 1
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # Only processing warns of unseen items.
        data = MultimodalDataset(str(tmp_path), 'shop')[0]
    assert data['text'].x.size() == (3, 2)
    assert files == {
        path: path.stat().st_mtime_ns for path in folder.glob('processed/shop*')
    }
    with pytest.warns(UserWarning, match='without a training pair'):
        MultimodalDataset(str(tmp_path), 'shop', force_reload=True)


def test_multimodal_dataset_notices_changed_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    open_quietly(str(tmp_path), 'shop')
    path = folder / 'text_feat.npy'
    old = path.stat()
    np.save(path, np.full((3, 2), 7.0, dtype=np.float32))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    assert path.stat().st_size == old.st_size
    data = open_quietly(str(tmp_path), 'shop')[0]
    assert data['text'].x.unique().tolist() == [7]


def test_multimodal_dataset_modalities(tmp_path: Path) -> None:
    write_folder(tmp_path, features=('text', 'image', 'my_audio'))
    root = str(tmp_path)
    for selected in [['text', 'image'], ['image', 'text'], ['my_audio'], []]:
        dataset = open_quietly(root, 'shop', selected)
        assert dataset.modalities == modalities(dataset[0]) == selected
    assert modalities(open_quietly(root, 'shop')[0]) == ['image', 'my_audio', 'text']
    assert len(list((tmp_path / 'shop' / 'processed').glob('shop*.pt'))) == 5

    with pytest.raises(FileNotFoundError, match=r'video_feat\.npy'):
        MultimodalDataset(root, 'shop', ['video', 'text'])
    for selected in [['text', 'text'], ['user']]:
        with pytest.raises(ValueError, match="'modalities' needs to be a list of dis"):
            MultimodalDataset(root, 'shop', selected)
    with pytest.raises(ValueError, match=r"'modalities' .* a list .* \(got 'text'\)"):
        MultimodalDataset(root, 'shop', 'text')


def test_multimodal_dataset_transforms(tmp_path: Path) -> None:
    write_folder(tmp_path)
    root = str(tmp_path)
    data = open_quietly(root, 'shop', transform=T.ToUndirected())[0]
    assert len(data.edge_types) == 6
    assert len(open_quietly(root, 'shop')[0].edge_types) == 3
    for transform, count in [(T.ToUndirected(), 6), (None, 3), (T.ToUndirected(), 6)]:
        dataset = open_quietly(root, 'shop', pre_transform=transform)
        assert len(dataset[0].edge_types) == count


def test_functions_are_told_apart_by_their_code(tmp_path: Path) -> None:
    write_folder(tmp_path)

    def doubled(data):
        data['text'].x = 2 * data['text'].x
        return data

    def tripled(data):
        data['text'].x = 3 * data['text'].x
        return data

    x, twice, thrice = (
        open_quietly(str(tmp_path), 'shop', pre_transform=function)[0]['text'].x
        for function in (None, doubled, tripled)
    )
    assert torch.equal(twice, 2 * x)
    assert torch.equal(thrice, 3 * x)
    tripled.__code__ = doubled.__code__  # As if it had been edited.
    data = open_quietly(str(tmp_path), 'shop', pre_transform=tripled)[0]
    assert torch.equal(data['text'].x, 2 * x)


class Code:
    def __reduce__(self) -> tuple:
        return eval, ("open('executed', 'w')",)


@pytest.mark.parametrize('content', [Code(), [1, 2], ({}, None), ({'x': 1}, None, 0)])
def test_multimodal_dataset_trusts_no_processed_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path)
    path = open_quietly(str(tmp_path), 'shop').processed_paths[0]
    torch.save(content, path)
    with pytest.raises(
        ValueError, match=r"shop_image_text_\w+\.pt' needs to be a processed graph"
    ):
        open_quietly(str(tmp_path), 'shop')
    assert not Path('executed').exists()
    os.remove(path)
    assert len(open_quietly(str(tmp_path), 'shop')) == 1


@pytest.mark.parametrize('name', ['pre_transform.pt', 'pre_filter.pt'])
def test_multimodal_dataset_loads_no_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path)
    folder = Path(open_quietly(str(tmp_path), 'shop').processed_dir)
    torch.save(Code(), folder / name)
    open_quietly(str(tmp_path), 'shop', force_reload=True)
    assert not Path('executed').exists()


def test_multimodal_dataset_keeps_what_transforms_make(tmp_path: Path) -> None:
    write_folder(tmp_path)
    for layout in ('csr', 'edge_index', 'auto'):
        prepare = T.Compose([StandardizeFeatures(), DegreeNorm(), ToAdjacency(layout)])
        options = {'pre_transform': prepare, 'processed_dir': str(tmp_path / layout)}
        open_quietly(str(tmp_path), 'shop', **options)
        data = open_quietly(str(tmp_path), 'shop', **options)[0]
        expected = prepare(open_quietly(str(tmp_path), 'shop')[0])
        kinds = [
            {key: type(value) for key, value in graph[INTERACTS].items()}
            for graph in (data, expected)
        ]
        assert kinds[0] == kinds[1]
        assert fingerprint(data) == fingerprint(expected)


def test_multimodal_dataset_copies(tmp_path: Path) -> None:
    write_folder(tmp_path)
    dataset = open_quietly(str(tmp_path), 'shop')
    dataset[0]['text'].x = None
    assert dataset[0]['text'].x is not None
    assert copy.copy(dataset)[0]['item'].num_nodes == 3


def test_multimodal_dataset_with_more_rows_than_items(tmp_path: Path) -> None:
    write_folder(tmp_path, num_rows=5)
    with pytest.warns(UserWarning, match='and 3 items without a training pair'):
        data = MultimodalDataset(str(tmp_path), 'shop')[0]
    assert data['item'].num_nodes == 5
    assert data['text'].num_nodes == 5


def test_multimodal_dataset_with_zero_rows(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    np.save(folder / 'text_feat.npy', np.zeros((3, 2)))
    data = open_quietly(str(tmp_path), 'shop')[0]
    assert data['text'].x.tolist() == [[0, 0]] * 3


def test_multimodal_dataset_with_missing_rows(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    nan = float('nan')
    np.save(folder / 'text_feat.npy', np.array([[nan, nan], [1, 2], [0, 0]]))
    data = open_quietly(str(tmp_path), 'shop')[0]
    validate_graph(data)
    assert data['text'].x.tolist() == [[1, 2], [0, 0]]
    assert data[describes('text')].edge_index.tolist() == [[0, 1], [1, 2]]
    assert data['image'].x.size() == (3, 3)
    assert data['item'].num_nodes == 3

    np.save(folder / 'text_feat.npy', np.array([[nan, 1], [1, 2], [0, 0]]))
    with pytest.raises(ValueError, match='got nan in row 0, column 0'):
        MultimodalDataset(str(tmp_path), 'shop')


def test_multimodal_dataset_with_ids(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    root = str(tmp_path)
    assert 'ids' not in open_quietly(root, 'shop')[0]['item']
    (folder / 'item_ids.txt').write_text('B2\nB0\nB1\n')
    data = open_quietly(root, 'shop')[0]
    assert get_ids(data, 'item') == ['B2', 'B0', 'B1']
    assert 'ids' not in data['user']

    # Users without interactions are users nonetheless.
    (folder / 'user_ids.txt').write_bytes('\ufeffä b\r\n7\r\nA1\x85A'.encode())
    data = open_quietly(root, 'shop')[0]
    assert get_ids(data, 'user') == ['ä b', '7', 'A1\x85A']
    assert data['user'].num_nodes == 3
    validate_graph(data)
    data = T.ToUndirected()(data)
    assert get_ids(data, 'user') == ['ä b', '7', 'A1\x85A']


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        (
            'user',
            'A0\n',
            "'user.ids' needs to hold 2 ids, one per node (got 1)",
        ),
        ('item', 'B0\nB1\nB2\nB3\n', 'got [3, 3] numbers for 4 items'),
        ('item', 'B0\nB1\nB0\n', "each once (got 'B0' in line 3)"),
        ('item', 'B0\n\nB1\n', "each once (got '' in line 2)"),
        ('user', '', "each once (got '' in line 1)"),
    ],
)
def test_multimodal_dataset_with_wrong_ids(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    folder = write_folder(tmp_path)
    (folder / f'{name}_ids.txt').write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        MultimodalDataset(str(tmp_path), 'shop')


def test_multimodal_dataset_without_features(tmp_path: Path) -> None:
    write_folder(tmp_path, features=())
    data = open_quietly(str(tmp_path), 'shop')[0]
    assert modalities(data) == []
    assert data['item'].num_nodes == 3


def test_from_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path)
    out = tmp_path / 'out'
    with pytest.warns(UserWarning, match='without a training pair'):
        dataset = MultimodalDataset.from_folder(str(folder), processed_dir=str(out))
    assert dataset.name == 'shop'
    assert dataset[0]['item'].num_nodes == 3
    monkeypatch.chdir(folder)
    dataset = MultimodalDataset.from_folder('.', processed_dir=str(out))
    assert dataset.name == 'shop'
    assert list_files(folder) == {'shop.inter', 'image_feat.npy', 'text_feat.npy'}


@pytest.mark.skipif(os.geteuid() == 0, reason='the superuser may write anywhere')
def test_multimodal_dataset_in_read_only_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    folder.chmod(stat.S_IREAD | stat.S_IEXEC)
    try:
        with pytest.raises(PermissionError, match='choose a folder that you may write'):
            MultimodalDataset(str(tmp_path), 'shop')
        out = tmp_path / 'out' / 'nested'
        dataset = open_quietly(str(tmp_path), 'shop', processed_dir=str(out))
        assert dataset[0]['item'].num_nodes == 3
    finally:
        folder.chmod(stat.S_IRWXU)


def test_multimodal_dataset_with_blocked_processed_dir(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r"/file/.*' cannot be written .*: choose a"):
        open_quietly(str(tmp_path), 'shop', processed_dir=str(tmp_path / 'file'))


def test_multimodal_dataset_with_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as info:
        MultimodalDataset(str(tmp_path), 'shop', ['image'])
    message = str(info.value)
    for text in ['shop/shop.inter\n', 'shop/image_feat.npy\n', "'userID', 'itemID'"]:
        assert text in message
    assert len(message.splitlines()) == 4
    assert list_files(tmp_path) == set()

    with pytest.raises(FileNotFoundError, match=r'nowhere/nowhere\.inter'):
        MultimodalDataset.from_folder(str(tmp_path / 'nowhere'))


@pytest.mark.parametrize(
    ('rows', 'num_rows', 'message'),
    [
        ('0\t0\t5\n', 3, "'x_label': 5}"),
        (ROWS, 2, 'got [2, 3] numbers for 3 items'),
    ],
)
def test_multimodal_dataset_writes_nothing_on_errors(
    tmp_path: Path, rows: str, num_rows: int, message: str
) -> None:
    folder = write_folder(tmp_path, rows=rows, num_rows=num_rows)
    before = list_files(folder)
    with pytest.raises(ValueError, match=re.escape(message)):
        MultimodalDataset(str(tmp_path), 'shop')
    assert list_files(folder) == before


def test_multimodal_dataset_keeps_old_files_on_errors(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    open_quietly(str(tmp_path), 'shop')
    (folder / 'shop.inter').write_text('userID\titemID\tx_label\n')
    before = list_files(folder)
    with pytest.raises(ValueError, match='no training pair'):
        MultimodalDataset(str(tmp_path), 'shop')
    assert list_files(folder) == before


def test_multimodal_dataset_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path)

    def save_half(cls: type, data_list: list[HeteroData], path: str) -> None:
        Path(path).write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(MultimodalDataset, 'save', classmethod(save_half))
    with pytest.raises(OSError, match='disk full'):
        open_quietly(str(tmp_path), 'shop')
    assert list_files(folder / 'processed') == set()


def test_multimodal_dataset_with_unequal_rows(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    np.save(folder / 'text_feat.npy', np.zeros((4, 2)))
    message = "equally many rows, one per item (got {'image': 3, 'text': 4})"
    with pytest.raises(ValueError, match=re.escape(message)):
        MultimodalDataset(str(tmp_path), 'shop')


def test_amazon_multimodal(tmp_path: Path) -> None:
    # The distributed files have additional columns.
    rows = '0\t0\t5.0\t1\t0\n0\t1\t4.0\t2\t1\n1\t1\t5.0\t3\t0\n'
    folder = write_folder(tmp_path, 'baby', features=('text', 'image', 'audio'))
    header = 'userID\titemID\trating\ttimestamp\tx_label\n'
    (folder / 'baby.inter').write_text(header + rows)
    with pytest.warns(UserWarning, match='without a training pair'):
        dataset = AmazonMultimodal(str(tmp_path), 'Baby')
    assert str(dataset) == 'AmazonMultimodal()'
    data = dataset[0]
    assert modalities(data) == ['image', 'text']
    assert data[INTERACTS].edge_index.tolist() == [[0, 1], [0, 1]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [1]]


def test_amazon_multimodal_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'name' needs to be in .*\(got 'books'\)"):
        AmazonMultimodal(str(tmp_path), 'books')
    with pytest.raises(FileNotFoundError, match='distributed as part of MMRec'):
        AmazonMultimodal(str(tmp_path), 'sports', download=False)
    assert list_files(tmp_path) == set()


STATISTICS = {
    'tiktok': ((9_308, 6_710), (59_541, 3_051, 6_130), (10, 465)),
    'lfm2k': ((1_858, 1_425), (44_327, 4_799, 7_219), (0, 0)),
    'beauty': ((15_576, 8_678), (108_166, 15_576, 15_576), None),
    'baby': ((19_445, 7_050), (118_551, 21_682, 20_559), None),
    'sports': ((35_598, 18_357), (218_409, 40_029, 37_899), None),
    'clothing': ((39_387, 23_033), (197_338, 41_189, 40_150), None),
}
FEATURES = {
    'tiktok': {'audio': 128, 'image': 128},
    'lfm2k': {'audio': 128, 'speech': 512, 'text': 384},
    'beauty': {'image': 128, 'text': 128},
}


@pytest.mark.parametrize('name', list(STATISTICS))
def test_real_data(name: str, tmp_path: Path) -> None:
    if 'LGMREC_DATA' not in os.environ:
        pytest.skip("needs real data in the folder 'LGMREC_DATA'")
    root = Path(os.environ['LGMREC_DATA'])
    if not (root / name).is_dir():
        pytest.skip(f"needs '{name}' in the folder 'LGMREC_DATA'")
    data = open_quietly(str(root), name, processed_dir=str(tmp_path))[0]
    num_nodes, num_pairs, unseen = STATISTICS[name]
    store = data[INTERACTS]
    pairs = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    assert (data['user'].num_nodes, data['item'].num_nodes) == num_nodes
    assert tuple(index.size(1) for index in pairs) == num_pairs
    dims = {modality: data[modality].num_features for modality in modalities(data)}
    assert dims == FEATURES.get(name, {})
    if unseen is not None:
        degrees = [
            torch.bincount(row, minlength=size)
            for row, size in zip(store.edge_index, num_nodes, strict=True)
        ]
        assert tuple(int((degree == 0).sum()) for degree in degrees) == unseen
    if name == 'beauty':
        assert int((data['text'].x == 0).all(dim=1).sum()) == 2


def test_multimodal_dataset_with_ids_of_mmrec(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / 'u_id_mapping.csv').write_text('user_id\tuserID\nAB\t1\n07\t0\n')
    (folder / 'i_id_mapping.csv').write_text('asin\titemID\nx\t2\ny\t0\nz\t1\n')
    data = open_quietly(str(tmp_path), 'shop')[0]
    assert get_ids(data, 'user') == ['07', 'AB']
    assert get_ids(data, 'item') == ['y', 'z', 'x']
    (folder / 'item_ids.txt').write_text('p\nq\nr\n')  # Plain lists come first.
    data = open_quietly(str(tmp_path), 'shop')[0]
    assert (get_ids(data, 'user'), get_ids(data, 'item')) == (['07', 'AB'], [*'pqr'])


def test_multimodal_dataset_of_an_empty_modality(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    np.save(folder / 'image_feat.npy', np.full((3, 4), np.nan, dtype=np.float32))
    with pytest.raises(
        ValueError, match=r"image_feat\.npy' .* no item has the modality"
    ):
        open_quietly(str(tmp_path), 'shop')
