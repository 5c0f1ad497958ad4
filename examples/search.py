r"""Searches settings of LGMRec by Optuna (`pip install optuna`): each trial trains on
the built-in data, and one that falls behind the others is pruned.

With `--storage sqlite:///search.db`, a search continues where it was, and several
processes may take part in it.
"""

import argparse

import optuna
from torch_geometric import seed_everything

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.nn import RECOMMENDED, LGMRec
from lgmrec_pyg.training import Callback, History, StopTraining, fit

METRIC = 'Recall@20'

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--preset', default='small')
parser.add_argument('--trials', type=int, default=20)
parser.add_argument('--epochs', type=int, default=30)
parser.add_argument('--seed', type=int, default=0)
parser.add_argument('--storage', help='where to keep the search')
args = parser.parse_args()

data = RECOMMENDED.transform(SyntheticMultimodal(args.preset)[0])


class Prune(Callback):
    r"""Reports every epoch to a trial, and ends its run if it is not worth it."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def on_epoch_end(self, history: History) -> None:
        self.trial.report(history.metrics[-1][METRIC], history.epochs_run)
        if self.trial.should_prune():
            raise StopTraining


def objective(trial: optuna.Trial) -> float:
    number = trial.suggest_float
    settings = {
        'num_collaborative_layers': trial.suggest_int('num_collaborative_layers', 1, 4),
        'num_modality_layers': trial.suggest_int('num_modality_layers', 1, 3),
        'similar_weight': number('similar_weight', 0.1, 3.0, log=True),
        'ranking_temperature': number('ranking_temperature', 0.05, 0.5, log=True),
    }
    lr = number('lr', 5e-4, 2e-2, log=True)
    seed_everything(args.seed)
    model = LGMRec.from_data(data, **RECOMMENDED.model | settings)
    history = fit(
        model,
        data,
        epochs=args.epochs,
        patience=5,
        lr=lr,
        callbacks=[Prune(trial)],
        progress=False,
    )
    if history.stopped_by == 'callback':
        raise optuna.TrialPruned
    return history.best_metrics[METRIC]


study = optuna.create_study(
    study_name=f'lgmrec_pyg {args.preset}',
    storage=args.storage,
    load_if_exists=True,
    direction='maximize',
    sampler=optuna.samplers.TPESampler(seed=args.seed),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2),
)
study.optimize(objective, n_trials=args.trials)
pruned = study.get_trials(states=[optuna.trial.TrialState.PRUNED])
print(f'{len(study.trials)} trials, of which {len(pruned)} were pruned')
print(f'Best {METRIC} on validation: {study.best_value:.4f}')
for name, value in study.best_params.items():
    print(f'  {name} = {value}')
