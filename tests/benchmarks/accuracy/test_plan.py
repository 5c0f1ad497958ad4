import pytest

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.models import MODELS, build_lgmrec
from benchmarks.accuracy.plan import Options, choose, plan, search_cells
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.studies import NAMES, STUDIES

OPTIONS = Options(('tiktok',), ('main',), ('lgmrec',), seeds=3, search=4)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / 'results.csv'), str(tmp_path / 'users'))


def finish(store: Store, cells: list[Cell], values: list[float]) -> None:
    for cell, value in zip(cells, values, strict=True):
        store.add(cell, {'val_Recall@20': value}, {})


def test_the_best_of_the_search_gets_other_seeds(store):
    search, waiting = plan(OPTIONS, store)
    assert [cell.seed for cell in search] == [0] * 4
    assert waiting == 3
    finish(store, search[:3], [0.1, 0.3, 0.2])
    assert plan(OPTIONS, store) == (search[3:], 3)
    finish(store, search[3:], [0.2])
    ready, waiting = plan(OPTIONS, store)
    assert waiting == 0
    assert [(cell.config, cell.seed) for cell in ready] == [
        (search[1].config, seed) for seed in (1, 2, 3)
    ]
    finish(store, ready, [0.1] * 3)
    assert plan(OPTIONS, store) == ([], 0)


def test_diverged_configurations_are_not_chosen(store):
    cells = search_cells(OPTIONS, 'tiktok', 'lgmrec')
    for cell in cells[:3]:
        store.add(cell, {'error': 'not finite'}, {})
    finish(store, cells[3:], [0.01])
    assert choose(OPTIONS, store, 'tiktok', 'lgmrec') == cells[3].config


def test_other_budgets_are_other_cells(store):
    cells, _ = plan(OPTIONS, store)
    finish(store, cells, [0.1] * 4)
    longer = OPTIONS._replace(epochs=500)
    assert len(plan(longer, store)[0]) == 4
    closed = OPTIONS._replace(models=('ease',))
    assert plan(closed, store) == plan(closed._replace(epochs=500), store)


def test_every_model_gets_the_same_budget():
    for name, entry in MODELS.items():
        for dataset in ('lfm2k', 'beauty'):
            configs = entry.configs(dataset, 4)
            fixed = name in ('popularity', 'recommended')
            assert len(configs) == (1 if fixed else 4), name
            assert all(config not in configs[:i] for i, config in enumerate(configs))
    for config in MODELS['lgmrec'].configs('lfm2k', 4):
        assert config['transforms'] == ['standardize']


def test_studies_start_from_the_chosen_configuration(store):
    options = OPTIONS._replace(studies=NAMES[1:], study_seeds=2)
    search, waiting = plan(options, store)
    assert {cell.study for cell in search} == {'main'}
    finish(store, search, [0.1, 0.4, 0.2, 0.3])
    ready, rest = plan(options, store)
    assert rest == 0
    assert len(ready) == waiting
    assert {cell.study for cell in ready} == set(STUDIES)
    chosen = search[1].config
    for cell in ready:
        assert chosen.keys() <= cell.config.keys()
    levels = {c.level for c in ready if c.variant == 'num_hyperedges'}
    assert levels == {'1', '16', '64'}  # Four is what is chosen.


def test_quick_studies_have_one_level():
    from benchmarks.accuracy.studies import changes

    assert len(list(changes('missing', quick=False))) == 5
    assert [x.level for x in changes('missing', quick=True)] == ['0.9']


def test_entries_that_extend_lgmrec_take_its_arguments():
    assert MODELS['lgmrec'].build is build_lgmrec
    assert MODELS['lgmrec'].value({'alpha': 0.7}, 'alpha') == 0.7
    assert MODELS['lgmrec'].value({}, 'num_hyperedges') == 4
