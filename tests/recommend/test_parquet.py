import os
import sys

import pandas as pd
import pytest
import torch

from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.recommend import recommendations as room

parquet = pytest.importorskip('pyarrow.parquet', reason='needs pyarrow')


@pytest.fixture(params=[str, int])
def recommender(request):
    torch.manual_seed(0)
    users = [request.param(7 * u) for u in range(50)]
    items = [request.param(3 * i) for i in range(30)]
    mask = torch.rand(50, 30) < 0.4
    mask[5] = True  # Nothing is left for this one,
    mask[6, 3:] = True  # and three items for that one.
    mask[6, :3] = False
    pairs = mask.nonzero().t()
    return Recommender(torch.randn(50, 8), torch.randn(30, 8), users, items, pairs)


@pytest.mark.parametrize('rows', [2**18, 40])
def test_file_equals_recommendations(tmp_path, recommender, monkeypatch, rows):
    monkeypatch.setattr(room, 'ROWS', rows)
    path = tmp_path / 'top.parquet'
    recommender.to_parquet(path, k=4)
    frame = pd.read_parquet(path)
    expected = recommender.recommend(recommender.users.ids, k=4).to_frame()
    assert frame['user'].tolist() == expected['user'].tolist()
    assert frame['item'].tolist() == expected['item'].tolist()
    assert frame['rank'].tolist() == expected['rank'].tolist()
    assert torch.allclose(
        torch.tensor(frame['score']), torch.tensor(expected['score'].astype('float32'))
    )
    assert len(frame) == 48 * 4 + 3
    groups = parquet.ParquetFile(path).metadata.num_row_groups
    assert groups == (1 if rows > 40 else 5)
    assert os.listdir(tmp_path) == ['top.parquet']


def test_all_items_without_exclusion(tmp_path, recommender):
    recommender.to_parquet(tmp_path / 'all.parquet', k=999, exclude=None)
    frame = pd.read_parquet(tmp_path / 'all.parquet')
    assert len(frame) == 50 * 30
    assert (frame.groupby('user')['item'].nunique() == 30).all()


def test_failure_keeps_the_old_file(tmp_path, recommender, monkeypatch):
    path = tmp_path / 'top.parquet'
    recommender.to_parquet(path, k=2)
    before = path.read_bytes()
    monkeypatch.setattr(room, 'ROWS', 20)
    calls = []

    def fail_later(rows, *args):
        calls.append(rows)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return rank(rows, *args)

    rank = recommender.rank
    monkeypatch.setattr(recommender, 'rank', fail_later)
    with pytest.raises(KeyboardInterrupt):
        recommender.to_parquet(path, k=3)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ['top.parquet']


def test_errors(tmp_path, recommender, monkeypatch):
    with pytest.raises(ValueError, match=r"'k' needs .* \(got 0\)"):
        recommender.to_parquet(tmp_path / 'x.parquet', k=0)
    assert os.listdir(tmp_path) == []
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ImportError, match='pip install pyarrow'):
        recommender.to_parquet(tmp_path / 'x.parquet')


def test_endings(tmp_path, recommender):
    for name in ('top.csv', 'top', 'top.parquet.gz', 'parquet'):
        with pytest.raises(ValueError, match=rf"'.parquet'.* \(got '.*{name}'\)"):
            recommender.to_parquet(tmp_path / name)
    assert os.listdir(tmp_path) == []
    for name in ('top.PARQUET', 'top.pq'):
        recommender.to_parquet(tmp_path / name, k=1)
        assert len(parquet.read_table(tmp_path / name)) == 49


@pytest.mark.parametrize('k', [5.0, '5', None])
def test_no_integer(tmp_path, recommender, k):
    with pytest.raises(ValueError, match=r"'k' needs to be a positive integer"):
        recommender.to_parquet(tmp_path / 'x.parquet', k=k)
    assert os.listdir(tmp_path) == []
