import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from lgmrec_pyg.datasets import (
    add_item_features,
    graph_from_interactions,
    map_item_features,
)
from lgmrec_pyg.graph import describes, encode_ids, model_inputs, validate_graph
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import SubgraphSampler
from lgmrec_pyg.training import fit

NUM_ITEMS = 30


@pytest.fixture
def data() -> Any:
    generator = torch.Generator().manual_seed(0)
    pairs = (torch.rand(40, NUM_ITEMS, generator=generator) < 0.3).nonzero().t()
    return graph_from_interactions(pairs)


def make_features(path: Path, dtype: torch.dtype) -> tuple[list[int], Tensor, Any]:
    r"""Rows in no order, of which one is of an unknown item and two of one item."""
    ids = [*reversed(range(1, NUM_ITEMS)), 99, 5]
    x = torch.randn(len(ids), 6, generator=torch.Generator().manual_seed(1)).to(dtype)
    if dtype == torch.float16:
        np.save(path / 'text.npy', x.numpy())
        return ids, x, (ids, path / 'text.npy')
    save_file({'ids': encode_ids(ids), 'x': x}, path / 'text.safetensors')
    return ids, x, str(path / 'text.safetensors')


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.filterwarnings('ignore:.*unknown ones such as 99')
def test_mapped_features_are_those_in_memory(
    data: Any, dtype: torch.dtype, tmp_path: Path
) -> None:
    ids, x, source = make_features(tmp_path, dtype)
    mapped = map_item_features(data, {'text': source})
    assert 'text' not in data.node_types
    validate_graph(mapped)
    assert mapped['text'].x.equal(x)
    assert mapped['text'].x.dtype == dtype
    node, item = mapped[describes('text')].edge_index
    assert [ids[i] for i in node] == item.tolist()
    assert set(item.tolist()) == set(range(1, NUM_ITEMS))

    known = add_item_features(data, {'text': (ids, x.float())})
    known['text'].x = known['text'].x.to(dtype)
    torch.manual_seed(0)
    model = LGMRec.from_data(known, embedding_dim=8)
    with torch.no_grad():
        expected = model.eval().embed(*model_inputs(known))
        actual = model.embed(*model_inputs(mapped))
    torch.testing.assert_close(actual, expected)
    batch = next(iter(SubgraphSampler(mapped, batch_size=8)))
    assert batch['text'].x.equal(x[batch['text'].n_id])
    history = fit(model, mapped, SubgraphSampler(mapped), epochs=1, progress=False)
    assert np.isfinite(history.losses[0]['total'])


def test_non_finite_rows_are_found(data: Any, tmp_path: Path) -> None:
    x = torch.zeros(2**16 + NUM_ITEMS, 1)
    x[2**16 + 3] = torch.inf
    ids = torch.arange(len(x)).remainder(NUM_ITEMS)
    save_file({'ids': ids, 'x': x}, tmp_path / 'text.safetensors')
    mapped = map_item_features(data, {'text': tmp_path / 'text.safetensors'})
    with pytest.raises(ValueError, match='inf in row 65539, column 0'):
        validate_graph(mapped)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
@pytest.mark.parametrize('kind', ['safetensors', 'npy'])
def test_files_are_not_copied(data: Any, kind: str, tmp_path: Path) -> None:
    num_rows, path = 2**20, tmp_path / f'text.{kind}'
    ids, x = torch.arange(num_rows) % NUM_ITEMS, torch.ones(num_rows, 64)
    if kind == 'npy':
        np.save(path, x.numpy())
    else:
        save_file({'ids': ids, 'x': x}, path)
    size = x.numel() * x.element_size()
    del x
    before = anonymous_memory()
    source = path if kind == 'safetensors' else (ids, path)
    mapped = map_item_features(data, {'text': source})
    model = LGMRec.from_data(mapped, embedding_dim=8)  # Checks the graph as well.
    assert float(mapped['text'].x.sum()) == 2**26
    added = anonymous_memory() - before
    assert model.feature_dims == {'text': 64}
    assert added < size / 2, f'{added / size:.0%} of a file were copied'


def anonymous_memory() -> int:
    r"""The resident memory of this process that no file backs."""
    status = Path('/proc/self/status').read_text()
    (size,) = re.findall(r'RssAnon:\s+(\d+) kB', status)
    return int(size) * 1024


def test_map_item_features_errors(data: Any, tmp_path: Path) -> None:
    path = tmp_path / 'text.safetensors'
    with pytest.raises(FileNotFoundError, match=r'text.safetensors'):
        map_item_features(data, {'text': path})
    path.write_bytes(b'not that format at all')
    with pytest.raises(ValueError, match=r"text.safetensors' needs to be a file in"):
        map_item_features(data, {'text': path})
    save_file({'x': torch.ones(2, 3)}, path)
    with pytest.raises(ValueError, match="the tensors 'ids' and 'x'"):
        map_item_features(data, {'text': path})
    save_file({'ids': torch.arange(2), 'x': torch.ones(3, 2)}, path)
    with pytest.raises(ValueError, match=r"'text' need .* one per id, of shape \[2, "):
        map_item_features(data, {'text': path})
    save_file({'ids': torch.tensor([98, 99]), 'x': torch.ones(2, 2)}, path)
    with pytest.raises(ValueError, match='need to describe items such as 0, 1, 2'):
        map_item_features(data, {'text': path})
    with pytest.raises(ValueError, match=r'a pair of ids and such a path \(got list'):
        map_item_features(data, {'text': [1, 2]})
    path = tmp_path / 'text.npy'
    np.save(path, np.array(['a', None], dtype=object))
    with pytest.raises(ValueError, match=r"text.npy' needs to be an array, saved"):
        map_item_features(data, {'text': ([0, 1], path)})
    np.save(path, np.ones((2, 3)))
    with pytest.raises(ValueError, match=r'half precision, .* \(got torch.float64'):
        map_item_features(data, {'text': ([0, 1], path)})
