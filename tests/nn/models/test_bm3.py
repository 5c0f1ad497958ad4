import pytest
import torch
from graphs import irregular_graph
from references.blocks import (
    TRIPLETS,
    Dense,
    assert_equal_to_reference,
    ids,
    linear,
    ranking,
    unit,
)

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn import BM3, BootstrapLoss


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return 1 - (unit(a) * unit(b.detach())).sum(1).mean()


@pytest.mark.parametrize('ranking_loss', ['bootstrap', 'bpr', 'softmax'])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
@pytest.mark.parametrize('num_layers', [1, 2])
def test_equal_to_dense_reference(num_layers, num_modalities, ranking_loss) -> None:
    data = irregular_graph(num_modalities)
    model = BM3.from_data(
        data, embedding_dim=8, num_layers=num_layers, ranking_loss=ranking_loss
    )

    def reference(model, dense: Dense) -> tuple:
        user, item = dense.split(dense.light_gcn(ids(model), num_layers))
        item = item + model.item_embedding.weight
        online_user, online_item = (linear(model.predictor, x) for x in (user, item))
        u, p, _ = TRIPLETS
        if ranking_loss == 'bootstrap':
            rank = distance(online_user[u], item[p])
            rank = rank + distance(online_item[p], user[u])
        else:
            temperature = 0.2 if ranking_loss == 'softmax' else None
            rank = ranking(online_user, online_item, temperature)
        modality = 0
        for name in dense.x:
            f = dense.project(model, name)[p]
            online = linear(model.predictor, f)
            modality = modality + distance(online, item[p]) + distance(online, f)
        reg = (user.norm() + item.norm()) / 9
        total = rank + 2 * modality + 0.1 * reg
        return online_user, online_item, total, rank, modality, reg

    assert_equal_to_reference(model.double().eval(), data, reference)


def test_targets_are_dropped_and_get_no_gradient() -> None:
    x, y, z = torch.randn(3, 400, 8).unbind()
    x.requires_grad_(), y.requires_grad_()
    module = BootstrapLoss(0.5)
    target = module.target(y)
    assert not target.requires_grad
    module(x, target).backward()
    assert x.grad is not None
    left = target != 0
    assert 0.4 < left.float().mean() < 0.6
    assert torch.allclose(target, unit(left * y).detach())
    assert not torch.equal(module.target(y), target)  # Another draw.
    module.eval()
    assert torch.allclose(module(x, module.target(y)), distance(x, y))
    assert torch.allclose(module(x, module.target(7 * y)), distance(x, y))
    both = module(x, module.target(y), module.target(z))
    assert torch.allclose(both, distance(x, y) + distance(x, z))
    assert repr(module) == 'BootstrapLoss(dropout=0.5)'


def test_a_step_draws_every_target_once(monkeypatch) -> None:
    data = irregular_graph(2)
    model = BM3.from_data(data, embedding_dim=8)
    drawn = []
    monkeypatch.setattr(
        model.align, 'target', lambda x: drawn.append(x) or torch.zeros_like(x)
    )
    out = model(data.x_dict, MultimodalGraph.from_data(data))
    model.loss(out, *TRIPLETS)
    assert [len(x) for x in drawn] == [len(TRIPLETS[0])] * 4  # Users, items, features.
