import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg import __version__
from lgmrec_pyg.graph import INTERACTS, modalities, training_pairs
from lgmrec_pyg.storage import atomic_write
from lgmrec_pyg.training import History

PACKAGES = (
    'torch',
    'torch_geometric',
    'torch_sparse',
    'torchmetrics',
    'triton',
    'numpy',
)


def dataset_summary(data: HeteroData) -> dict[str, Any]:
    r"""Returns the sizes of a multimodal interaction graph.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    store, empty = data[INTERACTS], torch.empty(2, 0)
    return {
        'num_users': data['user'].num_nodes,
        'num_items': data['item'].num_nodes,
        'num_train': training_pairs(data).size(1),
        'num_val': store.get('val_edge_label_index', empty).size(1),
        'num_test': store.get('test_edge_label_index', empty).size(1),
        'modalities': {name: list(data[name].x.size()) for name in modalities(data)},
    }


def peak_memory(device: torch.device | str = 'cpu') -> dict[str, int]:
    r"""Returns the peak memory of this process in bytes: its resident set, where
    the platform reports it, and the tensors on a CUDA device.

    Args:
        device (torch.device, optional): The device. (default: :obj:`"cpu"`)
    """
    out = {}
    if sys.platform != 'win32':
        import resource

        unit = 1 if sys.platform == 'darwin' else 1024
        usage = resource.getrusage(resource.RUSAGE_SELF)
        out['resident'] = usage.ru_maxrss * unit
    if torch.device(device).type == 'cuda':
        out['device'] = torch.cuda.max_memory_allocated(device)
    return out


def versions(device: torch.device | str = 'cpu') -> dict[str, Any]:
    r"""Returns what a result depends on besides the code: the versions of the
    libraries, the device and the number of threads.

    Args:
        device (torch.device, optional): The device. (default: :obj:`"cpu"`)
    """
    out: dict[str, Any] = {
        'python': platform.python_version(),
        'lgmrec_pyg': __version__,
    }
    for package in PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            out[package] = None
    on_cuda = torch.device(device).type == 'cuda'
    name = torch.cuda.get_device_name(device) if on_cuda else platform.machine()
    out |= {'device': name, 'threads': torch.get_num_threads()}
    return out


def run_record(
    name: str,
    data: HeteroData,
    history: History,
    settings: dict[str, Any],
    *,
    seconds: dict[str, float],
    device: torch.device | str = 'cpu',
    **metrics: dict[str, float],
) -> dict[str, Any]:
    r"""Returns what is to be known of a run, ready for JSON.

    Args:
        name (str): The name of the dataset.
        data (HeteroData): The multimodal interaction graph.
        history (History): The course of the training.
        settings (Dict[str, Any]): The settings of the run, of plain types.
        seconds (Dict[str, float]): The seconds that its parts took, besides those of
            training and evaluation.
        device (torch.device, optional): The device. (default: :obj:`"cpu"`)
        **metrics (optional): Further metrics by what they are of, *e.g.*,
            :obj:`test`.
    """
    train, evaluation = sum(history.train_seconds), sum(history.eval_seconds)
    return {
        'dataset': {'name': name, **dataset_summary(data)},
        'settings': settings,
        'best_epoch': history.best_epoch,
        'epochs_run': history.epochs_run,
        'validation': history.best_metrics,
        **metrics,
        'seconds': {'train': train, 'eval': evaluation, **seconds},
        'peak_memory_bytes': peak_memory(device),
        'versions': versions(device),
        'history': history.to_dict(),
    }


def save_json(record: dict[str, Any], path: str) -> None:
    r"""Saves a record, complete or not at all.

    Args:
        record (Dict[str, Any]): The record, of plain types.
        path (str): The path of the file. Missing folders are created.
    """
    text = json.dumps(record, indent=2)
    with atomic_write(path) as partial, open(partial, 'w', encoding='utf-8') as file:
        file.write(text + '\n')
