import json
import os
import os.path as osp
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.reporting.catalogue import Catalogue
from lgmrec_pyg.reporting.presets import find_preset
from lgmrec_pyg.reporting.run_record import save_json
from lgmrec_pyg.storage import (
    load_graph,
    load_model,
    reading,
    save_graph,
    save_model,
)
from lgmrec_pyg.training import History

GRAPH, EMBEDDINGS, RECORD = 'graph.safetensors', 'embeddings.safetensors', 'run.json'
NEEDS = 'the record of a run'


@dataclass
class Run:
    r"""A trained model with what it was trained on, and how it went.

    .. code-block:: python

        run = Run(model, data, record, transform=RECOMMENDED.transform)
        run.save('run')
        report(Run.load('run'), 'report.html')

    Args:
        model (torch.nn.Module): The model.
        data (HeteroData): The graph, before :obj:`transform`.
        record (Dict[str, Any]): What :func:`run_record` returns.
        name (str, optional): The name of the run. (default: :obj:`"run"`)
        transform (BaseTransform, optional): What turned :obj:`data` into what the
            model gets. (default: :obj:`Compose([])`)
        catalogue (Catalogue, optional): Titles and pictures of items.
            (default: :obj:`Catalogue()`)
    """

    model: Any
    data: HeteroData
    record: dict[str, Any]
    name: str = 'run'
    transform: BaseTransform = field(default_factory=lambda: T.Compose([]))
    catalogue: Catalogue = field(default_factory=Catalogue)

    def __post_init__(self) -> None:
        self.model.eval()

    @cached_property
    def graph(self) -> HeteroData:
        r"""The graph the way the model gets it."""
        return self.transform(self.data)

    @cached_property
    def recommender(self) -> Recommender:
        r"""Recommends from the embeddings of the model."""
        return Recommender.from_model(self.model, self.graph)

    @property
    def embeddings(self) -> tuple[Tensor, Tensor]:
        r"""The embeddings of users and items."""
        return self.recommender.user_emb, self.recommender.item_emb

    @property
    def title(self) -> str:
        r"""The model, its preset and its data in words."""
        name, settings = type(self.model).__name__, self.record['settings']
        dataset = self.record['dataset']['name']
        return f'{name}, {settings.get("preset", "own settings")}, on {dataset}'

    @property
    def history(self) -> History:
        r"""The course of the training."""
        return History.from_dict(self.record['history'])

    def save(self, path: str | os.PathLike[str]) -> None:
        r"""Saves the run in a folder: the model as
        :func:`~lgmrec_pyg.storage.save_model` does, the graph as it was before its
        transform in :obj:`graph.safetensors`, the embeddings in
        :obj:`embeddings.safetensors`, the catalogue, if there is one, in
        :obj:`catalogue.csv`, and at last the record in :obj:`run.json`.

        Args:
            path (str or os.PathLike): The folder, which is created if missing.

        Raises:
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        """
        metrics = {split: self.record.get(split) for split in ('validation', 'test')}
        save_model(self.model, path, data=self.graph, metrics=metrics)
        save_graph(self.data, osp.join(path, GRAPH))
        self.recommender.save(osp.join(path, EMBEDDINGS))
        if len(self.catalogue) > 0:
            self.catalogue.save(path)
        save_json(self.record, osp.join(path, RECORD))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'Run':
        r"""Loads a run that :meth:`save` saved, of a model and a preset that
        :func:`find_preset` knows. Nothing in the folder is executed.

        Args:
            path (str or os.PathLike): The folder.

        Raises:
            FileNotFoundError: If the folder holds no run.
            ValueError: If a file is damaged, or they do not belong together.
        """
        file = osp.join(path, RECORD)
        with reading(file, NEEDS), open(file, encoding='utf-8') as opened:
            record = json.load(opened)
            settings, dataset = record['settings'], record['dataset']['name']
            preset = find_preset(settings['model'], settings['preset'], dataset)
            History.from_dict(record['history'])
        name = osp.basename(osp.abspath(path))
        data = load_graph(osp.join(path, GRAPH))
        graph = preset.transform(data)
        model = load_model(path, data=graph)
        run = cls(model, data, record, name, preset.transform, Catalogue.of_run(path))
        run.graph = graph  # Not to be transformed again.
        return run

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.name!r}, {self.model})'
