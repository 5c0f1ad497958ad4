import pytest
import torch
from graphs import irregular_graph
from reference import DenseLGMRec, Parameters
from references.blocks import (
    TRIPLETS,
    Dense,
    assert_equal_to_reference,
    ids,
    norms,
    ranking,
    unit,
)

from lgmrec_pyg.graph import describes, model_inputs
from lgmrec_pyg.nn import EdgeAttention, LGMRec, SRGFormer


def dense_attention(module: EdgeAttention, e: torch.Tensor, a: torch.Tensor):
    out = []
    for q, k, v in zip(
        (e @ module.query.weight.t()).chunk(module.heads, 1),
        (e @ module.key.weight.t()).chunk(module.heads, 1),
        (e @ module.value.weight.t()).chunk(module.heads, 1),
        strict=True,
    ):
        weight = (q @ k.t()).clamp(-10, 10).exp() * a
        out.append(weight / (weight.sum(1, keepdim=True) + 1e-8) @ v)
    return torch.cat(out, 1)


def lgmrec(model, dense: Dense, data) -> DenseLGMRec:
    owner = {}
    for m in dense.x:
        node, item = data[describes(m)].edge_index
        owner[m] = dense.r.new_zeros(9, data[m].num_nodes)
        owner[m][item, node] = 1
    parameters = Parameters(
        model.user_embedding.weight,
        model.item_embedding.weight,
        {m: e.projection.weight for m, e in model.encoder.items()},
        {m: e.projection.hyperedge for m, e in model.encoder.items()},
    )
    features = {m: data[m].x for m in dense.x}
    return DenseLGMRec(dense.r, features, owner, parameters, (4, 2, 1), alpha=0.3)


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
def test_equal_to_dense_reference(num_modalities, temperature) -> None:
    data = irregular_graph(num_modalities)
    model = SRGFormer.from_data(
        data,
        embedding_dim=8,
        heads=2,
        modality_weight=0.2,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        local = lgmrec(model, dense, data)
        out, ghe = local.embeddings()
        out = out + 0.1 * unit(
            dense_attention(model.attention, ids(model), dense.adjacency())
        )
        user, item = dense.split(out)
        rank, reg = ranking(user, item, temperature), norms(user, item)
        local.parts = ('collaborative', 'modality')
        mge = {}
        for m in dense.x:
            has = (local.owner[m].sum(1, keepdim=True) > 0).double()
            f = dense.x[m] @ model.encoder[m].projection.weight
            f = torch.cat([dense.r @ f / (dense.r @ has).clamp(min=1), f])
            mge[m] = dense.a_hat() @ dense.a_hat() @ f
        contrast, modality = all_contrasts(dense, ghe), all_contrasts(dense, mge)
        total = rank + 1e-3 * contrast + 0.2 * modality + 1e-6 * reg
        return user, item, total, rank, contrast, modality, reg

    assert_equal_to_reference(model.double().eval(), data, reference)


def all_contrasts(dense: Dense, views: dict) -> torch.Tensor:
    out, names = dense.r.new_zeros(()), list(views)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            for side, index in zip((0, 1), TRIPLETS[:2], strict=True):
                a = unit(dense.split(views[first])[side][index])
                s = a @ unit(dense.split(views[second])[side]).t() / 0.2
                own = s[torch.arange(index.numel()), index]
                out = out - (own - s.exp().sum(1).log()).sum()
    return out


def test_without_attention_it_is_lgmrec() -> None:
    data = irregular_graph()
    model = SRGFormer.from_data(data, embedding_dim=8, alpha=0.0).double().eval()
    other = LGMRec.from_data(data, embedding_dim=8, num_collaborative_layers=4)
    other.double().eval().load_state_dict(model.state_dict(), strict=False)
    inputs = model_inputs(data)
    for x, y in zip(model.embed(*inputs), other.embed(*inputs), strict=True):
        assert torch.allclose(x, y)


def test_attention_without_queries_is_a_mean() -> None:
    data = irregular_graph()
    module, dense = EdgeAttention(8, heads=4).double(), Dense(data)
    torch.nn.init.zeros_(module.query.weight)
    x = torch.randn(20, 8, dtype=torch.float64)
    out = torch.cat(module(*x.split([11, 9]), model_inputs(data)[1].interactions))
    a = dense.adjacency()
    mean = a / a.sum(1, keepdim=True).clamp(min=1)
    assert torch.allclose(out, mean @ x @ module.value.weight.t())
    with pytest.raises(ValueError, match=r"'heads' needs to divide 8 \(got 3\)"):
        EdgeAttention(8, heads=3)
