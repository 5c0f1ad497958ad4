import os

import pytest
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg import LGMRec, SyntheticMultimodal, fit
from lgmrec_pyg.nn import RECOMMENDED, VBPR
from lgmrec_pyg.sampling import SubgraphSampler
from lgmrec_pyg.training import TrainingStep

OPTIONS = {'progress': False, 'lr': 0.01}


@pytest.fixture(scope='module')
def data() -> HeteroData:
    return RECOMMENDED.transform(SyntheticMultimodal('tiny')[0])


def build(data: HeteroData, **kwargs) -> tuple[LGMRec, SubgraphSampler]:
    torch.manual_seed(1)
    model = LGMRec.from_data(data, embedding_dim=16, **kwargs)
    return model, SubgraphSampler(data, [4, 3], batch_size=128)


def test_sampled_training_learns_what_is_planted(data: HeteroData) -> None:
    model, sampler = build(data, **RECOMMENDED.model)
    options = OPTIONS | {'epochs': 20, 'monitor': 'Recall@5'}
    history = fit(model, data, sampler, **options)
    whole, _ = build(data, **RECOMMENDED.model)
    expected = fit(whole, data, **options).best_metrics['Recall@5']
    first, best = history.metrics[0]['Recall@5'], history.best_metrics['Recall@5']
    assert best > 1.1 * first
    assert best > 0.9 * expected


def test_a_step_touches_the_rows_of_its_batch_alone(data: HeteroData) -> None:
    model, sampler = build(data, **RECOMMENDED.model)
    sampler = SubgraphSampler(data, [1, 1], batch_size=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batch = next(iter(sampler))
    tables = {'user': model.user_embedding, 'item': model.item_embedding}
    before = {name: x.weight.detach().clone() for name, x in tables.items()}
    TrainingStep(model, sampler.inputs, optimizer)(batch)
    for name, table in tables.items():
        assert table.weight.grad.is_sparse
        changed = (table.weight != before[name]).any(dim=1).nonzero().view(-1)
        assert 0 < changed.numel() < len(before[name])
        assert torch.isin(changed, batch[name].n_id).all()


def test_a_resumed_run_is_the_same(data: HeteroData, tmp_path: os.PathLike) -> None:
    runs = []
    for epochs in ([2], [1, 2]):
        path = os.path.join(tmp_path, f'{len(epochs)}.safetensors')
        for number in epochs:
            model, sampler = build(data, **RECOMMENDED.model)
            options = OPTIONS | {'checkpoint': path, 'resume': number > epochs[0]}
            fit(model, data, sampler, epochs=number, validate=None, **options)
        runs.append(model.state_dict())
    for name, weight in runs[0].items():
        assert torch.equal(weight, runs[1][name])


def test_parts_of_a_graph_need_to_be_large_enough(data: HeteroData) -> None:
    model, sampler = build(data)  # Whose users take features from a third hop.
    with pytest.raises(ValueError, match=r"each of 3 hops of 'LGMRec' \(got \[4, 3\]"):
        fit(model, data, sampler, **OPTIONS)
    other = VBPR.from_data(data)
    with pytest.raises(ValueError, match="'VBPR' needs a whole graph"):
        fit(other, data, sampler, **OPTIONS)


def test_gradients_of_parts_are_clipped(data: HeteroData) -> None:
    model, sampler = build(data, **RECOMMENDED.model)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    TrainingStep(model, (), optimizer, max_grad_norm=1e-3)(next(iter(sampler)))
    changes = [
        (p.detach() - q).norm() for p, q in zip(model.parameters(), before, strict=True)
    ]
    assert float(torch.stack(changes).norm()) == pytest.approx(1e-3, rel=1e-2)
