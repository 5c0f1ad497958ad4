import pytest
from graphs import irregular_graph

from lgmrec_pyg.nn import PAPER, RECOMMENDED, LGMRec


@pytest.mark.parametrize('name', ['baby', 'sports', 'clothing'])
def test_settings_of_the_paper(name: str) -> None:
    settings = LGMRec.from_data(irregular_graph(), **PAPER[name].model).settings
    table = {  # Layers of the three parts, hyperedges, dropout and alpha.
        'baby': (2, 2, 1, 4, 0.5, 0.3),
        'sports': (4, 2, 1, 4, 0.6, 0.6),
        'clothing': (2, 2, 2, 64, 0.8, 0.2),
    }
    names = ['collaborative_layers', 'modality_layers', 'hypergraph_layers']
    got = [settings[f'num_{part}'] for part in [*names, 'hyperedges']]
    assert (*got, settings['dropout'], settings['alpha']) == table[name]
    assert PAPER[name].lr == 1e-3


def test_recommended_brings_its_transform() -> None:
    data = RECOMMENDED.transform(irregular_graph())
    norm = data['image'].x.norm(dim=1)
    assert norm.allclose(norm.new_ones(1))
    model = LGMRec.from_data(data, **RECOMMENDED.model)
    assert model.settings['ranking_loss'] == 'softmax'
