import pytest
import torch

from lgmrec_pyg.nn import HypergraphEmbedding, LocalGlobalFusion, NodeEmbedding

NODE = NodeEmbedding(
    torch.tensor([[1.0, 2.0], [0.0, 1.0]]),
    (torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [5.0, 0.0]])),
    (
        HypergraphEmbedding(torch.tensor([[1.0], [0.0]]), torch.tensor([[6.0, 0.0]])),
        HypergraphEmbedding(torch.tensor([[4.0], [0.0]]), torch.tensor([[0.0, 2.0]])),
    ),
)


def test_hand_computed() -> None:
    expected = torch.tensor(
        [[1 + 0.6 + 0.5 * 0.6, 2 + 0.8 + 1 + 0.5 * 0.8], [1.0, 1.0]]
    )
    assert torch.allclose(LocalGlobalFusion(alpha=0.5)(NODE), expected)
    without = LocalGlobalFusion(alpha=0.5, collaborative=False)(NODE)
    assert torch.allclose(without, expected - NODE.collaborative)


def test_only_ids() -> None:
    node = NodeEmbedding(NODE.collaborative, (), ())
    for collaborative in (True, False):
        fusion = LocalGlobalFusion(collaborative=collaborative)
        assert torch.equal(fusion(node), NODE.collaborative)


@pytest.mark.parametrize('index', [[0], [1, 0, 1]])
def test_selected_rows_are_the_rows_of_the_fusion(index: list) -> None:
    fusion = LocalGlobalFusion()
    rows = torch.tensor(index)
    assert torch.allclose(fusion(NODE.select(rows)), fusion(NODE)[rows])


def test_repr() -> None:
    expected = "LocalGlobalFusion(alpha=0.3, collaborative=True, mode='sum')"
    assert repr(LocalGlobalFusion()) == expected


def test_side_by_side() -> None:
    fused = LocalGlobalFusion(alpha=0.5, mode='concat')(NODE)
    rest = torch.tensor([[1 + 0.5 * 0.6, 2 + 0.5 * 0.8], [0.0, 1.0]])
    assert torch.allclose(fused, torch.cat([rest, *NODE.modality], dim=1))
    node = NODE._replace(hypergraph=())
    fused = LocalGlobalFusion(collaborative=False, mode='concat')(node)
    assert torch.equal(fused, torch.cat(NODE.modality, dim=1))
    node = NodeEmbedding(NODE.collaborative, (), ())
    assert torch.equal(LocalGlobalFusion(mode='concat')(node), NODE.collaborative)
    with pytest.raises(ValueError, match="'mode' needs to be one of"):
        LocalGlobalFusion(mode='mean')
