import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import METRIC, current, holm, interval, significance
from benchmarks.accuracy.runs import Run, load_runs, save_run
from benchmarks.accuracy.tables import (
    cost_table,
    loss_table,
    main_table,
    markdown,
    published_table,
    study_table,
)

pytest.importorskip('scipy')
SMALL, LARGE, GONE = {'transforms': []}, {'lr': 5e-3, 'transforms': []}, {'lr': 7}
USERS = np.array([0.0, 0.5, 1.0, 1.0], dtype=np.float32)


def cells(table: str) -> list[list[str]]:
    return [[x.strip() for x in line.split('|')[1:-1]] for line in table.splitlines()]


@pytest.fixture
def folder(tmp_path) -> str:
    def add(config, seed, val, test, **settings):
        settings = {'study': 'main', 'model': 'lgmrec', 'epochs': 9} | settings
        run = Run(dataset='d', data='0', config=config, seed=seed, **settings)
        row = {'val_Recall@20': val, 'Recall@20': test, 'epochs_run': 40 + seed}
        if settings['study'] == 'cost':
            row |= {'epochs_run': 3, 'train_seconds': 1.5, 'eval_seconds': 0.1}
        users = {'Recall@20': USERS * test, 'NDCG@20': USERS * test / 2}
        save_run(str(tmp_path), run, row, users)

    add(SMALL, 0, 0.3, 0.9)
    add(LARGE, 0, 0.4, 0.1)
    add(LARGE, 1, 0.2, 0.5)
    add(LARGE, 2, 0.2, 0.7)
    add(LARGE, 1, 0.9, 0.0, epochs=3)  # A shorter run does not count.
    add(GONE, 0, 0.9, 0.9)  # Nor does a configuration that is no longer searched.
    add({'weight': 10.0}, 0, 0.2, 0.2, model='ease', epochs=0)
    change = {'study': 'ablation', 'variant': 'no local'}
    for seed, test in ((1, 0.4), (2, 0.6)):
        add(LARGE | {'parts': ['hypergraph']}, seed, 0.2, test, **change)
        add(SMALL | {'parts': ['hypergraph']}, seed, 0.2, 0.9, **change)  # Not chosen.
    add(LARGE, 1, 0, 0, study='cost', variant='alone', epochs=3)
    return str(tmp_path)


@pytest.fixture
def rows(folder) -> pd.DataFrame:
    return current(load_runs(folder, folder + '/results.csv'))


def test_validation_chooses_and_other_seeds_report(rows):
    final = rows[rows['final'] & (rows['model'] == 'lgmrec')]
    assert final['seed'].tolist() == [1, 2]
    assert final['Recall@20'].mean() == pytest.approx(0.6)
    assert rows[rows['searched']]['config'].tolist() == [
        '{"weight": 10.0}',
        '{"transforms": []}',
        '{"lr": 0.005, "transforms": []}',
    ]
    assert rows[rows['study'] == 'ablation']['Recall@20'].tolist() == [0.4, 0.6]


def test_tables_show_means_and_intervals(rows):
    lines = main_table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [row[0] for row in cells('\n'.join(lines))[2:]] == ['EASE', 'LGMRec']
    assert '0.6000 ± 1.2706' in lines[3]
    assert cells(study_table(rows, 'ablation'))[3] == ['no local', '0.5000 ± 1.2706']
    assert study_table(rows, 'missing') == ''


def test_losses_are_compared_within_a_model(tmp_path):
    values = {
        'bm3': (0.2, 0.2),
        'bm3-softmax': (0.3, 0.5),
        'lattice': (0.25, 0.25),
        'lattice-softmax': (0.5, 0.6),
        'mgcn': (0.9, 0.9),  # With one loss only.
    }
    for model, tests in values.items():
        for seed, test in enumerate([0.0, *tests]):
            config = MODELS[model].configs('tiktok')[0]
            run = Run('main', 'tiktok', '0', model, config, seed=seed)
            row = {'val_Recall@20': 0.1, METRIC: test, 'NDCG@20': test / 2}
            save_run(str(tmp_path), run, row, {})
    rows = current(load_runs(str(tmp_path), ''))
    best, worst = cells(loss_table(rows))[2:]
    assert best[0] == 'LATTICE'
    assert best[3] == '+120.0%'
    assert worst[:2] == ['BM3', '0.2000 ± 0.0000']
    assert worst[3] == '+100.0%'

    published = {row[0]: row[1:] for row in cells(published_table(rows))[2:]}
    here = ['0.2500 ± 0.0000', '0.1250 ± 0.0000']
    assert published['LATTICE (published on this split)'] == ['0.0843', '0.0367', *here]
    assert published['DiffMM (published on this split)'][2:] == ['-', '-']
    assert published_table(rows.assign(dataset='d')) == ''


def test_seconds_come_from_runs_that_were_alone(rows):
    (row,) = cells(cost_table(rows))[2:]
    # Half a second an epoch, for the 41.5 epochs of the seeds after the search.
    assert row[:5] == ['LGMRec', '20.8', '42', '0.50', '0.10']


def test_tests_carry_the_keys_of_their_runs(rows, folder):
    path = folder + '/significance.csv'
    test, other = significance(rows, folder, path).to_dict('records')
    final = rows[rows['final']].groupby('model')['key'].agg(' '.join)
    assert (test['reference'], test['model']) == ('lgmrec', 'ease')
    assert test['reference_runs'] == final['lgmrec']
    assert test['model_runs'] == final['ease']
    # Of the users 0, .3, .6, .6 less 0, .1, .2, .2.
    assert (test['metric'], other['metric']) == ('Recall@20', 'NDCG@20')
    assert test['difference'] == pytest.approx(0.25)
    assert other['difference'] == pytest.approx(0.125)
    # Each metric is a family of its own.
    assert test['p_holm'] == test['p'] == pytest.approx(other['p'])
    # They outlive the values of users, but not their runs.
    assert len(significance(rows, folder + '/gone', path)) == 2
    fewer = rows[rows['seed'] != 2]
    assert len(significance(fewer, folder + '/gone', path)) == 0
    assert pd.read_csv(path).empty


def test_new_tests_join_those_of_users_that_are_gone(folder):
    path, run = folder + '/significance.csv', Run('main', 'd', '0', 'popularity', {})
    users = {'Recall@20': USERS[::-1], 'NDCG@20': USERS[::-1]}
    save_run(folder, run, {'val_Recall@20': 0.1, 'Recall@20': 0.1}, users)
    rows = current(load_runs(folder, ''))
    before = significance(rows, folder, path).reset_index(drop=True)
    assert sorted(before['model']) == ['ease', 'ease', 'popularity', 'popularity']
    Path(folder, f'{run.key}.npz').unlink()
    after = significance(rows, folder, path).reset_index(drop=True)
    pd.testing.assert_frame_equal(after, before, check_exact=False, rtol=1e-5)


def test_longer_runs_count_once_there_are_as_many(folder):
    def chosen() -> tuple[set, set]:
        rows = current(load_runs(folder, ''))
        rows = rows[rows['model'] == 'lgmrec']
        return tuple(
            set(rows[of_study]['epochs'])
            for of_study in (rows['study'] == 'main', rows['study'] == 'ablation')
        )

    def add(config, seed, **place):
        place = {'study': 'main', 'epochs': 20} | place
        run = Run(dataset='d', data='0', model='lgmrec', config=config, **place)
        save_run(folder, replace(run, seed=seed), {'val_Recall@20': 0.3}, {})

    add(SMALL, 0)
    assert chosen() == ({9}, {9})
    for seed in (1, 2):  # Seeds are no part of the search.
        add(SMALL, seed)
    assert chosen() == ({9}, {9})
    add(LARGE, 0)
    assert chosen() == ({20}, {9})
    change = {'study': 'ablation', 'variant': 'no local', 'epochs': 5}
    add(SMALL | {'parts': ['hypergraph']}, 1, **change)
    assert chosen() == ({20}, {9})
    for seed in (2, 3):
        add(SMALL | {'parts': ['hypergraph']}, seed, **change)
    assert chosen() == ({20}, {5})


def test_two_versions_of_the_data_are_told_apart(folder):
    other = Run('main', 'd', '1', 'popularity')
    save_run(folder, other, {'val_Recall@20': 0.1, 'Recall@20': 0.1}, {})
    rows = current(load_runs(folder, ''))
    assert set(rows['dataset']) == {'d (0)', 'd (1)'}


def test_what_is_checked_in_is_what_the_report_shows():
    csv = Path(__file__).parents[3] / 'benchmarks' / 'results' / 'accuracy'
    runs = load_runs('', str(csv / 'results.csv'))
    assert set(current(runs)['key']) == set(runs['key'])
    for row in runs.to_dict('records'):
        settings = {name: row[name] for name in Run.__dataclass_fields__}
        config = json.loads(settings.pop('config'))
        assert Run(config=config, **settings).key == row['key']
    tests = pd.read_csv(csv / 'significance.csv')
    keys = ' '.join([*tests['reference_runs'], *tests['model_runs']]).split()
    assert set(keys) <= set(runs['key'])


def test_interval_of_a_textbook_sample():
    # Mean 3, deviation sqrt(2.5); t(0.975, 4) = 2.776.
    mean, half = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3.0
    assert half == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert math.isnan(interval([2.0])[1])
    assert math.isnan(interval([])[0])


def test_holm_by_hand():
    adjusted = holm(pd.Series([0.01, 0.04, 0.03]))
    assert adjusted.sort_index().tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(pd.Series([0.5, 0.9])).tolist() == [1.0, 1.0]
    # Two of five: times 5 and 4.
    adjusted = holm(pd.Series([0.04, 0.01]), 5)
    assert adjusted.sort_index().tolist() == pytest.approx([0.16, 0.05])


def test_markdown():
    assert markdown(['a', 'bcd'], [['xyzw', '1']]) == (
        '| a    | bcd |\n| ---- | --: |\n| xyzw |   1 |'
    )
