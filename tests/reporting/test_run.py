import json

import pytest
import torch
from finished_runs import finished_run

from lgmrec_pyg.nn import PAPER, RECOMMENDED
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.reporting import Catalogue, Run, find_preset
from lgmrec_pyg.reporting.catalogue import Entry


@pytest.mark.parametrize('model', ['LGMRec', 'FREEDOM', 'LightGCN'])
def test_round_trip(tmp_path, model):
    run = finished_run(model, catalogue=Catalogue([Entry(3, 'a "title", <b>')]))
    run.save(tmp_path / 'mine')
    out = Run.load(tmp_path / 'mine')
    assert out.name == 'mine'
    assert json.dumps(out.record) == json.dumps(run.record)
    assert out.history == run.history
    assert out.catalogue[3].title == 'a "title", <b>'
    for a, b in zip(run.embeddings, out.embeddings, strict=True):
        assert torch.equal(a, b)
    known = Recommender.load(tmp_path / 'mine' / 'embeddings.safetensors')
    assert torch.equal(known.item_emb, run.embeddings[1])
    assert torch.equal(known.seen, run.recommender.seen)


def test_the_graph_is_saved_before_its_transform(tmp_path):
    run = finished_run()
    run.save(tmp_path)
    out = Run.load(tmp_path)
    assert torch.equal(out.data['image'].x, run.data['image'].x)
    assert not torch.equal(out.data['image'].x, out.graph['image'].x)
    assert torch.equal(out.graph['image'].x, run.graph['image'].x)


@pytest.mark.parametrize(
    'change', ['no JSON', 'a list', 'model', 'history', 'settings']
)
def test_damaged_records_are_refused(tmp_path, change):
    run = finished_run()
    run.save(tmp_path)
    record = json.loads((tmp_path / 'run.json').read_text())
    if change == 'model':
        record['settings']['model'] = '__import__'
    elif change == 'history':
        record['history']['best_epoch'] = 77
    elif change == 'settings':
        del record['settings']
    text = {'no JSON': '{', 'a list': '[]'}.get(change, json.dumps(record))
    (tmp_path / 'run.json').write_text(text)
    with pytest.raises(ValueError, match=r"run\.json' needs to be the record of a run"):
        Run.load(tmp_path)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    finished_run().save(tmp_path / 'a')
    finished_run(ids=[f'sku-{i}' for i in range(80)]).save(tmp_path / 'b')
    name = 'graph.safetensors'
    (tmp_path / 'a' / name).write_bytes((tmp_path / 'b' / name).read_bytes())
    path = tmp_path / 'a' / 'graph.safetensors'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match='its digest differs'):
        Run.load(tmp_path / 'a')
    with pytest.raises(FileNotFoundError, match=r'nowhere.*run\.json'):
        Run.load(tmp_path / 'nowhere')


def test_presets():
    assert find_preset('LGMRec') is RECOMMENDED
    assert find_preset('LGMRec', 'paper', 'sports') is PAPER['sports']
    assert find_preset('LGMRec', 'paper', 'mine') is PAPER['baby']
    freedom = find_preset('FREEDOM')
    assert freedom.model['ranking_loss'] == 'softmax'
    assert freedom.lr == RECOMMENDED.lr
    assert 'ranking_loss' not in find_preset('FREEDOM', 'paper').model
    with pytest.raises(ValueError, match=r"'model' needs to be one of \['LGMRec'"):
        find_preset('Module')
    with pytest.raises(ValueError, match=r"'preset' needs to be one of"):
        find_preset('LGMRec', 'best')
