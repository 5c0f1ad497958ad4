import torch
from finished_runs import finished_run, planted_run

from lgmrec_pyg.reporting.modality_value import modality_value


def test_only_the_modality_that_matters_adds_something():
    out = modality_value(planted_run()).set_index(['modality', 'metric'])
    image, text = (out.loc[name, 'Recall@20'] for name in ('image', 'text'))
    assert image.tolist() == [0, 0, 0]
    # The right item is first; with texts dealt out, it is only by chance in the top.
    assert 0.5 < text['low'] < text['mean'] < text['high'] <= 1
    assert out.loc[('text', 'NDCG@10'), 'mean'] > 0.8


def test_similar_items_are_computed_anew():
    run = finished_run('FREEDOM')
    seen = []
    embed = run.model.embed

    def spy(x_dict, graph):
        seen.append(graph.similar['text'].csr.col)
        return embed(x_dict, graph)

    run.model.embed = spy
    assert set(modality_value(run)['modality']) == {'image', 'text'}
    whole, without_image, without_text = seen
    assert torch.equal(whole, without_image)
    assert whole.shape != without_text.shape or not torch.equal(whole, without_text)


def test_models_without_features():
    run = finished_run('LightGCN')
    assert (modality_value(run)['mean'] == 0).all()
