from functools import partial

import pytest
import torch
import torch.distributed as dist
from parallel_runs import build, model_inputs, options, train_together

from lgmrec_pyg import nn
from lgmrec_pyg.distributed import parallel, processes, shard, unshard
from lgmrec_pyg.nn import BM3, DGR, MIGGT
from lgmrec_pyg.ops.parallel import active, lookup, own_part
from lgmrec_pyg.training import fit


@pytest.fixture
def mesh():
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    yield dist.init_device_mesh('cpu', (1,))
    dist.destroy_process_group()


def test_errors_say_what_to_do(mesh, tmp_path):
    with pytest.raises(ValueError, match=r"'by' needs to be one of .* \(got 'users'\)"):
        train_together('paper', 'users', mesh, tmp_path)
    with pytest.raises(ValueError, match=r"'batch' or 'columns' \(got 'rows'\)"):
        train_together('sampled', 'rows', mesh, tmp_path)
    model, data, *_ = build('paper')
    for call in (lambda: shard(model, model_inputs(data)), lambda: unshard(model)):
        with pytest.raises(RuntimeError, match=r"within 'parallel\(mesh, by\)'"):
            call()
    with pytest.raises(RuntimeError, match='torchrun --nproc-per-node N'), processes():
        pass


@pytest.mark.parametrize('model_class', [BM3, MIGGT, partial(DGR, backbone='BM3')])
def test_losses_that_are_no_sums_are_not_shared(mesh, model_class):
    model = model_class(4, 5, {'text': 3})
    with parallel(mesh), pytest.raises(ValueError, match='no sums over the batch'):
        shard(model, ())


@pytest.mark.parametrize('by', ['columns', 'rows'])
@pytest.mark.parametrize('name', ['MGCN', 'VBPR', 'LATTICE', 'DGR'])
def test_tables_of_other_models_are_not_split(mesh, name, by):
    model = getattr(nn, name)(4, 5, {'text': 3})
    with (
        parallel(mesh, by),
        pytest.raises(ValueError, match=rf"'{name}' needs to be .*\('batch',\) \(got"),
    ):
        shard(model, ())


def test_columns_are_shared_evenly(mesh):
    with parallel(mesh, 'columns') as here:
        model, data, *_ = build('paper')
        here.size = 3
        with pytest.raises(ValueError, match=r'multiple of the 3 processes \(got 8\)'):
            shard(model, model_inputs(data))
    assert active() is None


def test_a_model_says_how_it_may_be_shared(mesh):
    class Own(torch.nn.Module):
        pass

    with parallel(mesh), pytest.raises(ValueError, match=r"'Own' needs to say by 's"):
        shard(Own(), ())
    Own.shared_by = ('batch',)
    with parallel(mesh):
        assert shard(Own(), ())[1] == ()


@pytest.mark.parametrize('by', ['columns', 'rows'])
def test_every_process_needs_a_part(mesh, by):
    model = nn.LightGCN(5, 7, {})
    with parallel(mesh, by) as here:
        here.size = 4
        with pytest.raises(ValueError, match=r"'num_users' .* 4 processes \(got 5\)"):
            shard(model, ())


@pytest.mark.parametrize('by', ['columns', 'rows'])
def test_parts_of_embeddings_are_not_ranked_as_if_whole(mesh, by):
    model, data, sampler, evaluator = build('paper')
    with parallel(mesh, by):
        own, inputs = shard(model, model_inputs(data))
        with pytest.raises(ValueError, match=r"a 'ShardedEvaluator' .* 'Evaluator'\)"):
            fit(own, inputs, sampler, evaluator)
        with pytest.raises(ValueError, match=r"a 'ShardedEvaluator'"):
            fit(own, data)


def test_one_process_is_like_none(mesh, tmp_path):
    model, data, sampler, evaluator = build('paper')
    alone = fit(model, model_inputs(data), sampler, evaluator, **options('paper'))
    train_together('paper', 'rows', mesh, tmp_path)
    assert (tmp_path / 'paper rows 1 0.json').exists()
    model, data, sampler, evaluator = build('paper')
    with parallel(mesh, 'batch'):
        together = fit(
            model, model_inputs(data), sampler, evaluator, **options('paper')
        )
    for expected, actual in zip(alone.losses, together.losses, strict=True):
        assert actual == pytest.approx(expected, rel=1e-6)


def test_rows_of_several_batches_follow_one_another(mesh):
    table, index = torch.randn(5, 3), torch.tensor([[4, 0], [1, 4]])
    expected = table[[4, 0, 1, 4]]
    assert torch.equal(lookup(table, index), expected)
    with parallel(mesh, 'rows'):
        assert torch.equal(lookup(table, index), expected)


def test_numbers_drawn_for_an_own_part_leave_those_of_all_alone(mesh):
    batch = torch.arange(4)
    with parallel(mesh, 'batch'):
        torch.manual_seed(0)
        with own_part(batch) as (part,):
            drawn = torch.rand(3)
        after = torch.rand(3)
        torch.manual_seed(0)
        with own_part(batch):
            torch.rand(7)
        assert torch.equal(torch.rand(3), after)
    assert torch.equal(part, batch)
    assert not torch.equal(drawn, after)
