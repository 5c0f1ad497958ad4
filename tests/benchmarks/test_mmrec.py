import argparse

import numpy as np
import pytest
import torch

from benchmarks import mmrec
from benchmarks.settings import make_workload
from lgmrec_pyg.datasets import read_interactions


@pytest.fixture(scope='module')
def work():
    args = argparse.Namespace(setting='small', data='', device='cpu', seed=0)
    return make_workload(args)


def test_folder_holds_the_pairs_and_features_of_the_graph(work, tmp_path):
    folder = tmp_path / 'graph'
    mmrec.write_layout(work, str(folder))
    pairs = read_interactions(str(folder / 'graph.inter'))
    assert (pairs.num_users, pairs.num_items) == (work.num_users, work.num_items)
    assert torch.equal(pairs.train, work.train)
    assert torch.equal(pairs.val, work.val)
    # A pair of the last user and the last item tells the sizes.
    assert torch.equal(pairs.test[:, :-1], work.test)
    for name in ('image', 'text'):
        x = np.load(folder / f'{name}_feat.npy')
        assert np.array_equal(x, work.data[name].x.numpy())


@pytest.mark.parametrize(
    ('name', 'learned'),
    [(name, False) for name in mmrec.MODELS]
    + [(name, True) for name in mmrec.MODELS if name not in mmrec.FROZEN_THERE],
)
def test_a_call_trains_an_epoch(work, name, learned):
    torch.manual_seed(0)
    side = mmrec.Library(name, work, 4096, learned)
    params = [x for x in side.model.parameters() if x.numel()]
    before = [x.detach().clone() for x in params]
    side()
    for old, new in zip(before, params, strict=True):
        assert not torch.equal(old, new)
        assert new.isfinite().all()


def test_what_is_no_clone_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        mmrec.main(['--code', str(tmp_path), '--quick'])
    assert (
        "needs to be a clone of MMRec, with 'main.py' and 'models'"
        in capsys.readouterr().err
    )
