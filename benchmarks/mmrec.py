r"""An epoch of training of the field's models, here and in MMRec, the code that most
of them are run with.

    git clone https://github.com/enoche/MMRec
    python -m benchmarks.mmrec --code MMRec --setting baby --data DIR

MMRec's own configurations, loader and trainer are used as they are; of settings that
it searches, the first. It trains the features of items along, where this library
leaves them as they are unless asked to (``library, trained features``). What it
imports and does not need here, and a call of SciPy's that is gone, are replaced if
missing. ``--code`` may be a code that was built on MMRec, such as HubuKG/SRGFormer.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from torch.nn import Module
from torch_geometric.transforms import BaseTransform

import lgmrec_pyg.nn
from benchmarks.harness import Call
from benchmarks.report import Report, suite_parser
from benchmarks.settings import Workload, make_workload, parse_setting
from benchmarks.train_step import print_ratios
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import LearnedFeatures
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import TrainingStep, keep_freed_memory
from lgmrec_pyg.training.optimizer import default_optimizer
from lgmrec_pyg.transforms import SimilarItems

UNIFORM = SimilarItems(k=10, weight='uniform')


class Entry(NamedTuple):
    r"""What both sides need for the same layers, beside what is the same by default:
    a transform of the graph and settings here, and settings there.
    """

    transform: BaseTransform | None = None
    here: dict[str, Any] = {}  # noqa: RUF012
    there: dict[str, Any] = {}  # noqa: RUF012


# By the name that both have.
MODELS = {
    'LightGCN': Entry(here={'num_layers': 1}),
    'VBPR': Entry(),
    'BM3': Entry(),
    'LATTICE': Entry(SimilarItems(k=10)),
    'FREEDOM': Entry(UNIFORM),
    'MGCN': Entry(SimilarItems(k=10)),
    'SMORE': Entry(SimilarItems(k=10, union=True)),
    'PGL': Entry(UNIFORM),
    'LGMRec': Entry(),
    'SRGFormer': Entry(  # Its configuration leaves out most settings.
        there={
            'embedding_size': 64,
            'feat_embed_dim': 64,
            'n_ui_layers': 4,
            'n_mm_layers': 2,
            'n_hyper_layer': 1,
            'hyper_num': 4,
            'head': 4,
            'keep_rate': 0.5,
            'alpha': 0.1,
            'beta': 0.3,
            'gama': 1e-6,
            'cl_weight': 1e-3,
            'reg_weight': 1e-6,
        }
    ),
}
FROZEN_THERE = ('LightGCN', 'VBPR', 'LGMRec', 'SRGFormer')
# Imported by MMRec, but not used for models that train on features.
UNUSED = (
    'lmdb',
    'sparsesvd',
    'torchvision',
    'torchvision.transforms',
    'torchvision.transforms.functional',
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('mmrec', __doc__)
    parser.add_argument('--code', required=True, metavar='DIR', help='a clone of MMRec')
    parser.add_argument(
        '--models', nargs='*', choices=list(MODELS), help='default: all in the clone'
    )
    parser.add_argument('--rounds', type=int, default=3, help='epochs of each side')
    args = parse_setting(parser, argv, default='baby')
    code = find_code(args.code)
    if code is None:
        parser.error(
            f"'--code' needs to be a clone of MMRec, with 'main.py' and 'models' (got "
            f'{args.code!r})'
        )
    args.models = args.models or [
        name
        for name in MODELS
        if os.path.exists(os.path.join(code, 'models', f'{name.lower()}.py'))
    ]
    with Report('mmrec', args) as report:
        compare_models(report, make_workload(args), code, args)


def find_code(folder: str) -> str | None:
    r"""The folder of the modules in a clone, if there is one."""
    for path in (os.path.join(folder, 'src'), folder):
        if all(os.path.exists(os.path.join(path, x)) for x in ('main.py', 'models')):
            return os.path.abspath(path)
    return None


def compare_models(
    report: Report, work: Workload, code: str, args: argparse.Namespace
) -> None:
    r"""Times each model against its counterpart."""
    keep_freed_memory()  # In this process, and so on both sides.
    prepare_imports(code)
    with tempfile.TemporaryDirectory() as folder:
        write_layout(work, os.path.join(folder, 'graph'))
        for name in args.models:
            case = {**work.case, 'batch': args.batch_size, 'model': name}
            calls: dict[str, Call] = {
                'reference': Public(name, code, folder, work, args.batch_size),
                'library': Library(name, work, args.batch_size),
            }
            if name not in FROZEN_THERE:
                calls['library, trained features'] = Library(
                    name, work, args.batch_size, learned=True
                )
            timings = report.measure(case, calls, memory=False, min_rounds=args.rounds)
            print_ratios({key: timing.median for key, timing in timings.items()})


def write_layout(work: Workload, folder: str) -> None:
    r"""Writes pairs and features the way MMRec reads them."""
    os.makedirs(folder)
    parts = [work.train, work.val, work.test]
    rows = [
        pd.DataFrame({'userID': x[0], 'itemID': x[1], 'x_label': label})
        for label, x in enumerate(pairs.cpu().numpy() for pairs in parts)
    ]
    # It counts the nodes by their largest numbers.
    last = {'userID': work.num_users - 1, 'itemID': work.num_items - 1, 'x_label': 2}
    pd.concat([*rows, pd.DataFrame([last])]).to_csv(
        os.path.join(folder, 'graph.inter'), sep='\t', index=False
    )
    for name in ('image', 'text'):
        x = work.data[name].x.cpu().numpy()
        np.save(os.path.join(folder, f'{name}_feat.npy'), x)


def prepare_imports(code: str) -> None:
    r"""Makes the modules of MMRec importable, on machines without a GPU as well."""
    sys.path.insert(0, code)
    for name in UNUSED:
        try:
            import_module(name)
        except (ImportError, RuntimeError):
            sys.modules[name] = MagicMock()
    dok: Any = scipy.sparse.dok_matrix
    if not hasattr(dok, '_update'):
        dok._update = lambda matrix, values: matrix._dict.update(values)
    if not torch.cuda.is_available():
        tensor: Any = torch.Tensor
        tensor.cuda = lambda x, *args, **kwargs: x


class Public:
    r"""A model of MMRec, with its loader and trainer; a call trains an epoch."""

    def __init__(
        self, name: str, code: str, folder: str, work: Workload, batch_size: int
    ) -> None:
        settings = {
            'data_path': os.path.join(folder, ''),
            'inter_file_name': 'graph.inter',
            'USER_ID_FIELD': 'userID',
            'ITEM_ID_FIELD': 'itemID',
            'vision_feature_file': 'image_feat.npy',
            'text_feature_file': 'text_feat.npy',
            'train_batch_size': batch_size,
            'use_gpu': work.train.is_cuda,
            **MODELS[name].there,
        }
        here = os.getcwd()
        os.chdir(code)  # It looks for its configurations there.
        try:
            config = import_module('utils.configurator').Config(name, 'graph', settings)
        finally:
            os.chdir(here)
        for key in config['hyper_parameters']:
            if isinstance(config[key], list):
                config[key] = config[key][0]
        train = import_module('utils.dataset').RecDataset(config).split()[0]
        str(train)  # It counts its pairs when it is printed.
        self.loader = import_module('utils.dataloader').TrainDataLoader(
            config, train, batch_size=batch_size, shuffle=True
        )
        self.loader.pretrain_setup()
        self.model = import_module('utils.utils').get_model(name)(config, self.loader)
        self.model.to(config['device'])
        self.trainer = import_module('common.trainer').Trainer(config, self.model)
        self.num_epochs = 0

    def __call__(self) -> None:
        self.model.pre_epoch_processing()
        self.trainer._train_epoch(self.loader, self.num_epochs)
        self.num_epochs += 1


class Library:
    r"""A model of this library, as :func:`lgmrec_pyg.fit` trains it; a call trains an
    epoch.
    """

    def __init__(
        self, name: str, work: Workload, batch_size: int, learned: bool = False
    ) -> None:
        transform, settings, _ = MODELS[name]
        data = work.data if transform is None else transform(copy(work.data))
        self.model: Module = (
            LearnedFeatures.from_data(data, backbone=name, backbone_settings=settings)
            if learned
            else getattr(lgmrec_pyg.nn, name).from_data(data, **settings)
        ).to(work.train.device)
        optimizer = default_optimizer(self.model, lr=1e-3)
        self.step = TrainingStep(self.model, model_inputs(data), optimizer)
        self.sampler = TripletSampler(
            work.train, work.num_users, work.num_items, batch_size
        )

    def __call__(self) -> None:
        self.model.train()
        for batch in self.sampler:
            self.step(*batch)


if __name__ == '__main__':
    main()
