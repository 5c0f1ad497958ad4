r"""The two sides of a comparison: the library and the plain reference."""

from collections.abc import Callable, Iterable
from copy import copy
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam

from benchmarks.reference import PlainLGMRec
from benchmarks.reference_loop import PlainEvaluator, PlainSampler
from benchmarks.settings import Workload
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import modalities, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import TrainingStep, keep_freed_memory
from lgmrec_pyg.training.experimental import CapturedStep

LEARNING_RATE = 1e-3


class Side(Protocol):
    r"""What a side has to do in an epoch."""

    @property
    def model(self) -> Module: ...

    @property
    def sampler(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]: ...

    @property
    def step(self) -> Callable[[Tensor, Tensor, Tensor], object]:
        r"""One training step on one batch."""

    def train_epoch(self) -> None:
        r"""Samples and trains on all batches."""

    def evaluate(self) -> list[dict[str, float]]:
        r"""The metrics of validation and test."""


class Reference:
    r"""The plain implementation and its loop."""

    def __init__(self, work: Workload, batch_size: int = 2048) -> None:
        features = {name: work.data[name].x for name in modalities(work.data)}
        self.model = PlainLGMRec(
            work.train, work.num_users, work.num_items, features, **work.model
        ).to(work.train.device)
        self.optimizer = Adam(self.model.parameters(), lr=LEARNING_RATE)
        self.sampler = PlainSampler(work.train, batch_size)
        self.evaluators = [PlainEvaluator(x, work.train) for x in (work.val, work.test)]

    def step(self, user: Tensor, pos: Tensor, neg: Tensor) -> None:
        self.optimizer.zero_grad()
        total = self.model.loss(user, pos, neg)['total']
        if torch.isnan(total):
            raise FloatingPointError('The loss is not a number')
        total.backward()
        self.optimizer.step()

    def train_epoch(self) -> None:
        self.model.train()
        for batch in self.sampler:
            self.step(*batch)

    def evaluate(self) -> list[dict[str, float]]:
        return [evaluator(self.model) for evaluator in self.evaluators]


class Library:
    r"""The library, as its trainer runs it, perhaps captured into a CUDA graph, or
    compiled.
    """

    def __init__(
        self,
        work: Workload,
        batch_size: int = 2048,
        feature_dtype: torch.dtype = torch.float32,
        capture: bool = False,
        compile: bool = False,  # noqa: A002
    ) -> None:
        data = copy(work.data)
        for name in modalities(data):
            data[name].x = data[name].x.to(feature_dtype)
        self.inputs = model_inputs(data)
        device = work.train.device
        model = LGMRec.from_data(data, **work.model).to(device)
        adam = Adam(
            model.parameters(), lr=LEARNING_RATE, fused=True, capturable=capture
        )
        self.model = model
        keep_freed_memory()  # In this process, and so on both sides.
        self.step: Callable[[Tensor, Tensor, Tensor], object] = (
            CapturedStep(model, self.inputs, adam)
            if capture
            else TrainingStep(model, self.inputs, adam, compile=compile)
        )
        size = work.num_users, work.num_items
        self.sampler = TripletSampler(work.train, *size, batch_size)
        self.evaluators = [
            Evaluator(x, work.train, *size) for x in (work.val, work.test)
        ]

    def train_epoch(self) -> None:
        self.model.train()
        for batch in self.sampler:
            self.step(*batch)

    @torch.no_grad()
    def evaluate(self) -> list[dict[str, float]]:
        self.model.eval()
        embeddings = self.model.embed(*self.inputs)
        return [evaluator(*embeddings) for evaluator in self.evaluators]


# The sides by the name they have in tables; called with the batch size.
SIDES: dict[str, Callable[[Workload, int], Side]] = {
    'reference': Reference,
    'library': Library,
    'library bf16': lambda work, size: Library(work, size, torch.bfloat16),
    'library compiled': lambda work, size: Library(work, size, compile=True),
}
# Compiling takes minutes: only where it is asked for.
DEFAULT_SIDES = ['reference', 'library', 'library bf16']
if torch.cuda.is_available():
    SIDES['library bf16 captured'] = lambda work, size: Library(
        work, size, torch.bfloat16, capture=True
    )
    DEFAULT_SIDES.append('library bf16 captured')
