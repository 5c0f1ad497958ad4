r"""What the runs amount to: the configuration that validation chose for every model,
its rows, and whether models differ.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.runs import KEPT, SEARCH_SEED, config_text, load_users
from benchmarks.accuracy.studies import COST, MAIN, STUDIES
from lgmrec_pyg.storage import reading
from lgmrec_pyg.storage.atomic import atomic_write

METRIC = 'Recall@20'
CONFIDENCE = 0.95
KEYS = ['reference_runs', 'model_runs']
PAIR = ['dataset', 'reference', 'model', 'metric']


def current(runs: pd.DataFrame) -> pd.DataFrame:
    r"""The runs that count, in the order of models and studies: those that models
    and studies have by now, of the chosen configurations. Of runs of several lengths,
    those are taken that most of a search or a study is there of, and the longest of
    as many.

    Two columns are added: :obj:`searched` says from what validation chose, and
    :obj:`final` what is to be reported, which are seeds that the search has not
    seen, if there are any.
    """
    runs = runs.assign(searched=False, final=False)
    versions = runs.groupby('dataset')['data'].nunique()
    ambiguous = runs['dataset'].map(versions) > 1
    names = runs['dataset'] + ' (' + runs['data'] + ')'
    runs['dataset'] = runs['dataset'].where(~ambiguous, names)
    parts = [
        part
        for _, of_dataset in runs.groupby('dataset', sort=False)
        for model in MODELS
        for part in _of_model(model, of_dataset[of_dataset['model'] == model])
    ]
    return pd.concat(parts) if parts else runs.iloc[:0]


def _of_model(model: str, runs: pd.DataFrame) -> Iterable[pd.DataFrame]:
    if runs.empty:
        return
    runs = runs.sort_values('seed', kind='stable')
    configs = MODELS[model].configs(runs['dataset'].iloc[0].partition(' ')[0])
    order = {config_text(config): i for i, config in enumerate(configs)}
    main = runs[(runs['study'] == MAIN) & runs['config'].isin(order)]
    main = _of_one_length(main, main[main['seed'] == SEARCH_SEED])
    main = main.sort_values('config', key=lambda x: x.map(order), kind='stable')
    searched = main['seed'] == SEARCH_SEED
    scored = main[searched & (main['error'] == '')]
    if scored.empty:
        yield main[searched].assign(searched=True)
        return
    best = scored.loc[scored['val_Recall@20'].idxmax(), 'config']
    final = (main['config'] == best) & ~searched
    if not final.any():
        final = (main['config'] == best) & searched
    main = main.assign(searched=searched, final=final)
    yield main[searched | final]
    places = dict(list(runs.groupby(['study', 'variant', 'level'])))
    for name, study in STUDIES.items():
        for variant, level, change in study.changes:
            rows = places.get((name, variant, level))
            if rows is not None:
                config = config_text(json.loads(best) | change)
                found = rows[rows['config'] == config]
                yield _of_one_length(found, found)


def _of_one_length(runs: pd.DataFrame, counted: pd.DataFrame) -> pd.DataFrame:
    if runs.empty:
        return runs
    number = Counter(_lengths(counted))
    chosen = max(_lengths(runs), key=lambda x: (number[x], x))
    return runs[[x == chosen for x in _lengths(runs)]]


def _lengths(runs: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(runs['epochs'], runs['patience'], strict=True))


def interval(values: Iterable[float]) -> tuple[float, float]:
    r"""The mean over seeds and the half width of its 95 % confidence interval by
    Student's t, NaN of fewer than two.
    """
    from scipy import stats

    array = np.array([x for x in values if x == x], dtype=np.float64)
    if array.size < 2:
        return float(array.mean()) if array.size else float('nan'), float('nan')
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, array.size - 1)
    return float(array.mean()), float(quantile * stats.sem(array))


def show(values: Iterable[float]) -> str:
    r"""A mean over seeds, with the half width of its interval if there is one."""
    center, half = interval(values)
    if center != center:
        return '-'
    return f'{center:.4f}' if half != half else f'{center:.4f} ± {half:.4f}'


def by_model(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    r"""The title of every model, its final rows, and all."""
    for model, of_model in rows.groupby('model', sort=False):
        if of_model['final'].any():
            yield MODELS[model].title, of_model[of_model['final']], of_model


def by_loss(rows: pd.DataFrame) -> dict[str, tuple[pd.Series, pd.Series]]:
    r"""The metric of one dataset's models that have been trained with their own loss
    and with a softmax over all items, for both, the best one with the latter first.
    """
    final = {model: x[METRIC] for model, x in rows[rows['final']].groupby('model')}
    pairs = {
        model: (final[model], final[softmax])
        for model in final
        if (softmax := f'{model}-softmax') in final
    }
    order = sorted(pairs, key=lambda model: -pairs[model][1].mean())
    return {model: pairs[model] for model in order}


def costs(rows: pd.DataFrame) -> pd.DataFrame:
    r"""What the chosen configurations take on one dataset, by model: a closed form
    has no epochs.
    """
    out = {}
    for _, final, every in by_model(rows):
        alone = every[every['study'] == COST]
        if len(alone):
            row, epochs = alone.iloc[-1], final['epochs_run'].mean()
            each = row['train_seconds'] / row['epochs_run']
            out[final['model'].iloc[0]] = {
                'Train s': row['train_seconds'] if epochs != epochs else epochs * each,
                'Epochs': epochs,
                's / epoch': each,
                'Eval s': row['eval_seconds'],
                'MiB': row['peak_mib'],
                'Parameters': row['parameters'],
                METRIC: show(final[METRIC]),
            }
    return pd.DataFrame.from_dict(out, orient='index')


def significance(rows: pd.DataFrame, folder: str, path: str) -> pd.DataFrame:
    r"""Paired t-tests over the users of a dataset, whose values of every metric are
    averaged over seeds: LGMRec, and every model that extends it, against all others.

    Every test carries the keys of the runs it is of. Those in :obj:`path` count for
    as long as all of their runs do, for when the values of users are gone. All models
    with results count in the adjustment, also those that could not be tested.
    """
    final = rows[rows['final']]
    keys = final.groupby(['dataset', 'model'], sort=False)['key'].agg(list)
    users = {place: _mean_users(folder, found) for place, found in keys.items()}
    tests = [
        (
            *(dataset, reference, model, metric),
            # As the table keeps them, for the same report when they are read again.
            *(float(f'{x:.6g}') for x in _paired(first[metric], second[metric])),
            *(' '.join(keys[dataset, x]) for x in (reference, model)),
        )
        for (dataset, reference), first in users.items()
        if MODELS[reference].extends_lgmrec
        for (other, model), second in users.items()
        if other == dataset and model != reference
        for metric in KEPT
        if metric in first and metric in second
    ]
    columns = [*PAIR, 'difference', 'low', 'high', 'p', *KEYS]
    out = pd.DataFrame(tests, columns=columns)
    if os.path.exists(path):
        with reading(path, 'a table of tests'):
            old = pd.read_csv(path)[columns]
            known = set(final['key'])
            valid = [
                known.issuperset(f'{x} {y}'.split()) for x, y in old[KEYS].to_numpy()
            ]
            old = old[np.array(valid, dtype=bool)]
        out = pd.concat([out, old], ignore_index=True) if len(out) else old
    models = {name: i for i, name in enumerate(MODELS)}
    datasets = {name: i for i, name in enumerate(rows['dataset'].unique())}
    metrics = {name: i for i, name in enumerate(KEPT)}
    ranks = dict(zip(PAIR, (datasets, models, models, metrics), strict=True))
    out = out.drop_duplicates(PAIR).sort_values(
        PAIR, key=lambda x: x.map(ranks[x.name])
    )
    others = final.groupby('dataset')['model'].nunique() - 1
    out['p_holm'] = np.nan
    for (dataset, *_), tests_of in out.groupby(['dataset', 'reference', 'metric']):
        out.loc[tests_of.index, 'p_holm'] = holm(tests_of['p'], others[dataset])
    with atomic_write(path) as partial:
        out.to_csv(partial, index=False, float_format='%.6g', lineterminator='\n')
    return out


def _mean_users(folder: str, keys: list[str]) -> dict[str, np.ndarray]:
    arrays = [load_users(folder, key) or {} for key in keys]
    return {
        name: np.mean([array[name] for array in arrays], axis=0)
        for name in KEPT
        if all(name in array for array in arrays)
    }


def _paired(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float, float]:
    from scipy import stats

    difference = first.astype(np.float64) - second.astype(np.float64)
    mean = float(difference.mean())
    if np.ptp(difference) == 0:
        return mean, mean, mean, 0.0 if mean else 1.0
    test = stats.ttest_1samp(difference, 0.0)  # A paired test of the two.
    bounds = test.confidence_interval(CONFIDENCE)
    return mean, float(bounds.low), float(bounds.high), float(test.pvalue)


def holm(p: pd.Series, number: int | None = None) -> pd.Series:
    r"""Adjusts the p-values of several tests by the method of Holm, which SciPy does
    not have: of so many tests, of which those that are not here have larger ones.
    """
    number = len(p) if number is None else number
    ranked = p.sort_values()
    factor = np.arange(number, number - len(p), -1)
    return (ranked * factor).cummax().clip(upper=1.0)
