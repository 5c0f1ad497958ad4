import pandas as pd
import pytest
import torch
import torch_geometric.transforms as T

from benchmarks.accuracy.models import MODELS, RIVALS
from benchmarks.accuracy.runs import config_text
from benchmarks.accuracy.studies import STUDIES, Options, following_runs, search_runs
from benchmarks.accuracy.task import TRANSFORMS, Task
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.nn import PUBLISHED, RECOMMENDED

OPTIONS = Options({'tiktok': '0123'}, ('main',), ('lgmrec',), seeds=3, search=4)


def finished(runs, values) -> pd.DataFrame:
    rows = [
        {'key': run.key, 'val_Recall@20': value, 'error': '' if value else 'diverged'}
        for run, value in zip(runs, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=['key', 'val_Recall@20', 'error'])


def test_the_best_of_the_search_gets_other_seeds():
    search = search_runs(OPTIONS)
    assert [run.seed for run in search] == [0] * 4
    assert following_runs(OPTIONS, finished(search[:3], [0.1, 0.3, 0.2])) == []
    runs = following_runs(OPTIONS, finished(search, [0.1, 0.3, 0.2, None]))
    assert [(run.config, run.seed) for run in runs] == [
        (search[1].config, seed) for seed in (1, 2, 3)
    ]
    assert following_runs(OPTIONS, finished(search, [None] * 4)) == []


def test_budgets_and_data_are_part_of_a_run():
    keys = {run.key for run in search_runs(OPTIONS)}
    for other in ({'epochs': 500}, {'datasets': {'tiktok': '4567'}}):
        assert not keys & {run.key for run in search_runs(OPTIONS._replace(**other))}
    closed = OPTIONS._replace(models=('ease',))
    assert search_runs(closed) == search_runs(closed._replace(epochs=500))


def test_every_model_gets_the_same_budget():
    for name, entry in MODELS.items():
        for dataset in ('lfm2k', 'beauty'):
            configs = entry.configs(dataset, 4)
            fixed = name.startswith(('popularity', 'recommended'))
            assert len(configs) == (1 if fixed else 4), name
            assert len(set(map(config_text, configs))) == len(configs)
    for config in MODELS['lgmrec'].configs('lfm2k', 4):
        assert config['transforms'] == ['standardize']


@pytest.mark.parametrize('name', [x for x, entry in MODELS.items() if entry.learned])
def test_every_configuration_of_a_learned_model_can_be_built(name):
    data = SyntheticMultimodal('tiny')[0]
    triplet = torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([4, 5])
    for config in MODELS[name].configs('tiny', 4):
        task = Task(data, config.get('transforms', ()))
        model = MODELS[name].model(task.data, config)
        loss = model.loss(model(*task.inputs), *triplet)
        assert loss.total.isfinite()


def test_studies_start_from_the_chosen_configuration():
    options = OPTIONS._replace(only=tuple(STUDIES), study_seeds=2)
    search = search_runs(options)
    assert {run.study for run in search} == {'main'}
    runs = following_runs(options, finished(search, [0.1, 0.4, 0.2, 0.3]))
    assert {run.study for run in runs} == set(STUDIES)
    assert all(search[1].config.keys() <= run.config.keys() for run in runs)
    levels = {run.level for run in runs if run.variant == 'num_hyperedges'}
    assert levels == {'1', '16', '64'}  # Four is what is chosen.
    quick = options._replace(quick=True, only=('missing',))
    quick_runs = following_runs(quick, finished(search, [0.1, 0.4, 0.2, 0.3]))
    assert [run.level for run in quick_runs] == ['0.9', '0.9']


def test_the_recommended_transform_is_the_one_that_its_rows_name():
    (config,) = MODELS['recommended'].configs('beauty')
    transforms = [TRANSFORMS[name] for name in config['transforms']]
    assert repr(T.Compose(transforms)) == repr(RECOMMENDED.transform)


def test_rivals_get_the_transforms_that_they_were_published_with():
    for name, needs in RIVALS.items():
        published = PUBLISHED[name].transform
        if name != 'SMORE':  # It names modalities, which not all datasets have.
            transform = T.Compose([TRANSFORMS[x] for x in needs])
            assert repr(transform) in (repr(published), repr(T.Compose([published])))
