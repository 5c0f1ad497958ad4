import pytest

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.cost import study_costs
from benchmarks.accuracy.results import main_results
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.tables import cost_table

LEARNED = {'val_Recall@20': 0.1, 'Recall@20': 0.2, 'parameters': 1234}


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(str(tmp_path / 'results.csv'), str(tmp_path / 'users'))
    busy = {'epochs_run': 40, 'train_seconds': 400.0, 'eval_seconds': 9.0}
    for seed in (0, 1, 2):
        cell = Cell('main', 'lfm2k', 'vbpr', {'lr': 1}, seed, epochs=200)
        store.add(cell, {**LEARNED, **busy, 'epochs_run': 40 + seed}, {})
    alone = {'epochs_run': 3, 'train_seconds': 1.5, 'eval_seconds': 0.1, 'peak_mib': 7}
    for config in ({'lr': 1}, {'lr': 2}):  # The latter was not chosen.
        cell = Cell('cost', 'lfm2k', 'vbpr', config, 1, 'alone', epochs=3)
        store.add(cell, {**LEARNED, **alone}, {})
    for study in ('main', 'cost'):
        seconds = {'main': 5.0, 'cost': 0.25}[study]
        row = {'val_Recall@20': 0.1, 'train_seconds': seconds, 'eval_seconds': 0.1}
        store.add(Cell(study, 'lfm2k', 'ease', {}), {**row, 'peak_mib': 5}, {})
    return store


def test_seconds_come_from_runs_that_were_alone(store):
    results = main_results(store)
    costs = study_costs(store, results)
    cost = costs['lfm2k', 'vbpr']
    assert cost.epochs == 41.5  # Of the seeds after the search.
    assert cost.epoch_seconds == 0.5
    assert cost.train_seconds == 41.5 / 2
    assert (cost.evaluate_seconds, cost.peak_mib, cost.parameters) == (0.1, 7, 1234)
    assert costs['lfm2k', 'ease'].train_seconds == 0.25
    lines = cost_table(costs, results, 'lfm2k').splitlines()
    assert [x.strip() for x in lines[2].split('|')[1:5]] == ['EASE', '0.2', '-', '-']
    assert [x.strip() for x in lines[3].split('|')[1:5]] == [
        'VBPR',
        '20.8',
        '42',
        '0.50',
    ]


def test_no_table_without_such_runs(store):
    results = main_results(store)
    assert cost_table({}, results, 'lfm2k') == ''
