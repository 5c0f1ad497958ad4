r"""Files of every kind that the package reads, and their public readers."""

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lgmrec_pyg.datasets import (
    MultimodalDataset,
    SyntheticMultimodal,
    graph_from_interactions,
    load_item_features,
    read_features,
    read_interactions,
    save_item_features,
)
from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage import (
    load_card,
    load_ids,
    load_metadata,
    load_model,
    load_tensors,
    save_model,
    save_tensors,
)
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import ToAdjacency


@dataclass
class Target:
    r"""A kind of file.

    Args:
        name (str): Its name.
        path (Path): Where it is read from.
        content (bytes): What is mutated.
        read (Callable): Reads it.
        write (Callable, optional): Turns what is mutated into the file, *e.g.*, with
            a digest or a checksum that vouches for it. (default: :obj:`None`)
        named (str, optional): What errors need to name, if it is not the file alone.
            (default: :obj:`""`)
    """

    name: str
    path: Path
    content: bytes
    read: Callable[[], Any]
    write: Callable[[bytes], None] | None = None
    named: str = ''

    def run(self, content: bytes) -> None:
        (self.write or self.path.write_bytes)(content)
        self.read()


def make_targets(folder: Path) -> list[Target]:
    torch.manual_seed(0)
    data = SyntheticMultimodal('tiny')[0]
    data['user'].ids = [f'u{i}' for i in range(data['user'].num_nodes)]
    data['item'].ids = [f'i{i}' for i in range(data['item'].num_nodes)]
    return [
        *_tables(folder, data),
        *_features(folder, data),
        *_models(folder, ToAdjacency('csr')(data)),
    ]


def _tables(folder: Path, data: Any) -> list[Target]:
    user, item = data[INTERACTS].edge_index[:, :60].numpy()
    frame = pd.DataFrame({'userID': user, 'itemID': item, 'x_label': 0})
    frame.loc[::7, 'x_label'] = 1
    root = folder / 'layout'
    root.mkdir()
    inter, csv = root / 'layout.inter', folder / 'clicks.csv'
    frame.to_csv(inter, sep='\t', index=False)
    frame = pd.DataFrame({'user_id': user, 'item_id': item, 'rating': 4.5})
    frame['time'] = range(len(frame))
    frame.to_csv(csv, index=False)
    np.save(root / 'text_feat.npy', np.ones((item.max() + 1, 4), dtype=np.float32))

    def read_graph(path: Path) -> Any:
        return graph_from_interactions(
            path, timestamp='time', rating='rating', min_rating=3
        )

    def read_dataset() -> Any:
        options = {'processed_dir': str(folder / 'processed'), 'force_reload': True}
        with redirect_stderr(io.StringIO()):  # PyG reports its progress there.
            return MultimodalDataset.from_folder(str(root), **options)

    out = [
        Target(
            '.inter', inter, inter.read_bytes(), lambda: read_interactions(str(inter))
        ),
        Target('dataset', inter, inter.read_bytes(), read_dataset, named=str(root)),
        Target('.csv', csv, csv.read_bytes(), lambda: read_graph(csv)),
    ]
    try:
        parquet = folder / 'clicks.parquet'
        frame.to_parquet(parquet)
    except ImportError:
        return out
    content = parquet.read_bytes()
    return [*out, Target('.parquet', parquet, content, lambda: read_graph(parquet))]


def _features(folder: Path, data: Any) -> list[Target]:
    npy, features = folder / 'text_feat.npy', folder / 'features'
    num_items = data['item'].num_nodes
    np.save(npy, np.random.default_rng(0).normal(size=(num_items, 3)).astype('f4'))
    ids = data['item'].ids[:20]
    save_item_features(features, {'text': (ids, torch.randn(20, 3))})
    npz = features / 'text.npz'

    def pack(content: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(original)) as old:
            members = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(npz, 'w') as new:
            for name, member in members.items():
                new.writestr(name, content if name == 'x.npy' else member)

    def read_rows() -> Any:
        return read_features(str(npy), num_items)

    def read() -> Any:
        return load_item_features(features)

    original = npz.read_bytes()
    with zipfile.ZipFile(npz) as file:
        member = file.read('x.npy')
    return [
        Target('.npy', npy, npy.read_bytes(), read_rows),
        # Each file of the folder is known by its modality.
        Target('.npz', npz, original, read, named="'text'"),
        Target('.npz member', npz, member, read, pack, named="'text'"),
    ]


def _models(folder: Path, data: Any) -> list[Target]:
    model = LGMRec.from_data(data, embedding_dim=4)
    run = folder / 'run.safetensors'

    def train() -> Any:
        options: dict[str, Any] = {'epochs': 1, 'progress': False, 'resume': True}
        torch.manual_seed(1)
        return fit(
            LGMRec.from_data(data, embedding_dim=4), data, checkpoint=run, **options
        )

    train()
    saved, embeddings = folder / 'model', folder / 'embeddings.safetensors'
    save_model(model, saved, data=data, metrics={'Recall@20': 0.5})
    Recommender.from_model(model, data).save(embeddings)
    weights = saved / 'model.safetensors'

    def read_model() -> Any:
        return load_card(saved), load_ids(saved), load_model(saved, data=data)

    def vouched(path: Path, key: str) -> Callable[[bytes], None]:
        tensors, metadata = load_tensors(path), load_metadata(path)

        def write(content: bytes) -> None:
            text = content.decode('utf-8', 'replace')
            save_tensors(tensors, path, metadata | {key: text})

        return write

    card = load_metadata(weights)['card'].encode()
    state = json.dumps(json.loads(load_metadata(run)['state'])).encode()
    return [
        Target('weights', weights, weights.read_bytes(), read_model),
        Target('tensors', weights, weights.read_bytes(), lambda: load_tensors(weights)),
        Target('card', weights, card, read_model, vouched(weights, 'card')),
        Target('checkpoint', run, run.read_bytes(), train),
        Target('checkpoint state', run, state, train, vouched(run, 'state')),
        Target(
            'embeddings',
            embeddings,
            embeddings.read_bytes(),
            lambda: Recommender.load(embeddings),
        ),
    ]
