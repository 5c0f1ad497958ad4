import numpy as np
import pytest

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.results import main_results, study_rows
from benchmarks.accuracy.significance import update_significance
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.tables import main_table, markdown, study_table

SMALL, LARGE = {'alpha': 0.1}, {'alpha': 0.9}


@pytest.fixture
def store(tmp_path) -> Store:
    pytest.importorskip('scipy')
    out = Store(str(tmp_path / 'results.csv'), str(tmp_path / 'users'))
    values = np.array([0.0, 0.5, 1.0, 1.0], dtype=np.float32)

    def add(config, seed, val, test, **cell):
        cell = {'study': 'main', 'model': 'lgmrec', 'epochs': 9} | cell
        row = {'val_Recall@20': val, 'Recall@20': test}
        users = {'Recall@20': values * test}
        out.add(Cell(dataset='d', config=config, seed=seed, **cell), row, users)

    add(SMALL, 0, 0.3, 0.9)
    add(LARGE, 0, 0.4, 0.1)
    add(LARGE, 1, 0.2, 0.5)
    add(LARGE, 2, 0.2, 0.7)
    add(LARGE, 1, 0.9, 0.0, epochs=3)  # A shorter run does not count.
    add({}, 0, 0.2, 0.2, model='ease', epochs=0)
    add(SMALL, 1, 0.2, 0.4, study='ablation', variant='no local')
    add(SMALL, 2, 0.2, 0.6, study='ablation', variant='no local')
    return out


def test_validation_chooses_and_other_seeds_report(store):
    results = main_results(store)
    result = results['d', 'lgmrec']
    assert [row['seed'] for row in result.rows] == ['1', '2']
    assert result.mean('Recall@20') == pytest.approx(0.6)
    assert len(result.searched) == 2
    assert results['d', 'ease'].final
    assert results['d', 'ease'].mean('Recall@20') == pytest.approx(0.2)
    np.testing.assert_allclose(
        result.mean_users(store, 'Recall@20'), [0, 0.3, 0.6, 0.6], rtol=1e-6
    )


def test_studies_are_grouped_by_variant(store):
    rows = study_rows(store, 'ablation')['d', 'lgmrec']
    assert [row['seed'] for row in rows['no local', '']] == ['1', '2']


def test_tables_show_means_and_intervals(store):
    results = main_results(store)
    lines = main_table(results, 'd').splitlines()
    assert [line.split('|')[1].strip() for line in lines[2:]] == ['EASE', 'LGMRec']
    assert '0.6000 ± 1.2706' in lines[3]
    assert 'no local' in study_table(store, results, 'ablation', 'd')
    assert study_table(store, results, 'missing', 'd') == ''
    assert len({len(line) for line in lines}) == 1


def test_significance_outlives_the_values_of_users(store, tmp_path):
    path = str(tmp_path / 'significance.csv')
    results = main_results(store)
    (test,) = update_significance(store, results, path)
    assert (test['reference'], test['model']) == ('lgmrec', 'ease')
    # Of the users 0, .3, .6, .6 less 0, .1, .2, .2.
    assert float(test['difference']) == pytest.approx(0.25)
    store.cache = str(tmp_path / 'gone')
    assert update_significance(store, main_results(store), path) == [test]


def test_markdown():
    assert markdown(['a', 'bcd'], [['xyzw', '1']]) == (
        '| a    | bcd |\n| ---- | --: |\n| xyzw |   1 |'
    )
