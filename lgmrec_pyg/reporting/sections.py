r"""What the sections of a report show: charts, and rows of tables."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch

from lgmrec_pyg.graph import ITEM, USER, describes, modalities, training_pairs
from lgmrec_pyg.reporting.accuracy import by_group, degree_groups
from lgmrec_pyg.reporting.charts import Charts
from lgmrec_pyg.reporting.example_users import make_card
from lgmrec_pyg.reporting.hyperedges import describe_hyperedges
from lgmrec_pyg.reporting.modality_value import modality_value
from lgmrec_pyg.reporting.results import Series
from lgmrec_pyg.reporting.run import Run

Chart = dict[str, Any]
EPOCHS = 500  # That a curve shows at most.
EDGES = np.array([0, 1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025])


def course(runs: dict[str, Run], charts: Charts) -> list[Chart]:
    r"""The charts of validation metrics and losses by epoch."""
    frames: dict[str, list[pd.DataFrame]] = {}
    best: dict[str, int] = {}
    for name, run in runs.items():
        history = run.history
        best |= {name: history.best_epoch} if history.best_epoch > 0 else {}
        metrics = pd.DataFrame(history.metrics, history.eval_epochs)
        metrics = metrics[[x for x in ('Recall@20', 'NDCG@20') if x in metrics]]
        losses = pd.DataFrame(history.losses, range(1, history.epochs_run + 1))
        for table, kind in ((metrics, 'validation'), (losses, 'training loss')):
            table = table.iloc[:: max(1, -(-len(table) // EPOCHS))]
            for column in table:
                columns = {'epoch': table.index, 'value': table[column].to_numpy()}
                part = pd.DataFrame(columns).assign(series=name)
                frames.setdefault(f'{kind}: {column}', []).append(part)
    chosen = pd.DataFrame(best.items(), columns=['series', 'epoch'])
    return [
        charts.curves(
            pd.concat(parts), title, chosen if title.startswith('valid') else None
        )
        for title, parts in frames.items()
    ]


def groups(series: list[Series], charts: Charts) -> list[Chart]:
    r"""The charts of accuracy by activity of users and popularity of items."""
    users, items = [], []
    for name, run, _, accuracy in series:
        user, item = training_pairs(run.data).numpy()
        activity = np.bincount(user)[accuracy.users.index]
        count = np.bincount(item, minlength=run.data[ITEM].num_nodes)
        count = count[accuracy.pairs['item']]
        by_user = by_group(accuracy.users['Recall@20'], degree_groups(activity))
        by_item = by_group(accuracy.pairs['hit'], degree_groups(count))
        users.append(by_user.assign(series=name))
        items.append(by_item.assign(series=name))
    titles = [
        ('By activity of users', 'training pairs of a user', 'Recall@20'),
        ('By popularity of items', 'training pairs of an item', 'share in the top 20'),
    ]
    parts = zip((users, items), titles, strict=True)
    return [charts.groups(pd.concat(x), *title) for x, title in parts if x]


def modality_values(
    series: list[Series], runs: dict[str, Run], charts: Charts
) -> Chart | None:
    r"""The chart of what each modality adds."""
    frames = []
    for name, run, split, _ in series:
        if run is runs.get(name):
            frames.append(modality_value(run, split).assign(series=name))
    frame = pd.concat(frames) if frames else pd.DataFrame()
    if frame.empty:
        return None
    frame = frame[frame['metric'] == 'Recall@20']
    return charts.intervals(frame, 'modality', '', 'fall of Recall@20')


def hyperedges(run: Run, charts: Charts, num_listed: int = 6) -> list[dict[str, Any]]:
    r"""What the hyperedges of every modality hold, those of most users first."""
    found = describe_hyperedges(run.model, run.graph)
    out = []
    for modality in dict.fromkeys(x.modality for x in found):
        edges = [x for x in found if x.modality == modality]
        shares = [('users', [x.user_share for x in edges])]
        shares.append(('items', [x.item_share for x in edges]))
        frame = pd.concat(
            pd.DataFrame({'group': range(len(edges)), 'value': x}).assign(of=name)
            for name, x in shares
        )
        chart = charts.bars(
            frame, f'Memberships by {modality}', 'hyperedge', 'share', color='of'
        )
        largest = sorted(edges, key=lambda x: -x.user_share)[:num_listed]
        listed = [(x, [make_card(run, i) for i in x.items]) for x in largest]
        in_use = {name: _effective_number(x) for name, x in shares}
        count = len(edges)
        values = {'modality': modality, 'chart': chart, 'listed': listed}
        out.append({**values, 'in_use': in_use, 'count': count})
    return out


def data_summary(runs: dict[str, Run], charts: Charts) -> dict[str, Any]:
    r"""The sizes of the data of every run, and charts of how it spreads."""
    tables, users, items = {}, [], []
    for name, run in runs.items():
        data, size = run.data, run.record['dataset']
        pairs = training_pairs(data)
        num_users, num_items = data[USER].num_nodes, data[ITEM].num_nodes
        per_user = torch.bincount(pairs[0], minlength=num_users).numpy()
        per_item = torch.bincount(pairs[1], minlength=num_items).numpy()
        rows = {
            'data': size['name'],
            'users': f'{num_users:,}',
            'items': f'{num_items:,}',
            'training pairs': f'{pairs.size(1):,}',
            'validation pairs': f'{int(size["num_val"]):,}',
            'test pairs': f'{int(size["num_test"]):,}',
            'density': f'{pairs.size(1) / (num_users * num_items):.4%}',
            'median pairs of a user': f'{np.median(per_user):g}',
            'items without a training pair': f'{(per_item == 0).sum():,}',
        }
        for modality in modalities(data):
            described = data[describes(modality)].edge_index[1].unique().numel()
            share = described / num_items
            width = data[modality].num_features
            rows[modality] = f'{share:.1%} of items, width {width:,}'
        tables[name] = rows
        users.append(_histogram(per_user).assign(series=name))
        items.append(_histogram(per_item).assign(series=name))
    title = 'training pairs of {}'
    return {
        'tables': tables,
        'charts': [
            charts.bars(pd.concat(users), 'Users', title.format('a user'), 'users'),
            charts.bars(pd.concat(items), 'Items', title.format('an item'), 'items'),
        ],
    }


def settings(runs: dict[str, Run]) -> list[tuple[str, list[str], bool]]:
    r"""The settings of runs by their names, and whether they differ."""
    tables = [
        {**run.record['settings'], **run.model.settings, **run.record['versions']}
        for run in runs.values()
    ]
    out = []
    for key in dict.fromkeys(x for table in tables for x in table):
        values = [str(table.get(key, '')) for table in tables]
        out.append((key, values, len(set(values)) > 1))
    return out


def resources(runs: dict[str, Run], charts: Charts) -> dict[str, Any]:
    r"""The time and memory that runs took."""
    rows, parts = [], []
    for name, run in runs.items():
        history, seconds = run.history, dict(run.record['seconds'])
        total = float(seconds.pop('total', sum(seconds.values())))
        frame = pd.DataFrame(seconds.items(), columns=['part', 'value'])
        parts.append(frame.assign(group=name))
        memory = run.record['peak_memory_bytes']
        rows.append(
            {
                'run': name,
                'epochs': f'{history.epochs_run} (best {history.best_epoch})',
                'ended by': history.stopped_by,
                'ms per epoch': f'{1000 * np.mean(history.train_seconds or [0]):,.0f}',
                'seconds': f'{total:,.1f}',
                'weights': f'{sum(x.numel() for x in run.model.parameters()):,}',
                **{f'MB, {key}': f'{x / 2**20:,.0f}' for key, x in memory.items()},
            }
        )
    frame = pd.concat(parts)
    chart = charts.bars(frame, '', '', 'seconds', color='part', horizontal=True)
    return {'rows': rows, 'chart': chart}


def _histogram(degree: np.ndarray) -> pd.DataFrame:
    edges = EDGES[: np.searchsorted(EDGES, degree.max(), side='right')]
    ends = [*(edges[1:] - 1), degree.max()]
    names = [f'{a}' if a == b else f'{a}-{b}' for a, b in zip(edges, ends, strict=True)]
    count = np.bincount(np.searchsorted(edges, degree, side='right') - 1)
    return pd.DataFrame({'group': names, 'value': count})


def _effective_number(shares: list[float]) -> float:
    r"""The exponential of the entropy: how many shares as good as count."""
    return math.exp(-sum(x * math.log(x) for x in shares if x > 0))
