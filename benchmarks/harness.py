r"""Interleaved timing: every candidate is measured in every round."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

Call = Callable[[], object]

# Calls shorter than this are repeated within a sample, to stay far above the
# resolution of the clock.
MIN_SAMPLE_SECONDS = 2e-3
MAX_ROUNDS = 100
LONG_CALL_SECONDS = 1.0
# Larger than the last-level cache of any GPU so far: a write of it evicts all.
CUDA_FLUSH_BYTES = 256 * 2**20


@dataclass
class Timing:
    r"""The samples of one candidate, in milliseconds a call, or why there are
    none.
    """

    samples: list[float] = field(default_factory=list)
    error: str = ''

    def quantile(self, q: float) -> float:
        r"""The interpolated quantile, NaN without samples."""
        if not self.samples:
            return float('nan')
        return float(torch.tensor(self.samples, dtype=torch.double).quantile(q))

    @property
    def median(self) -> float:
        r"""The median in milliseconds."""
        return self.quantile(0.5)

    def as_row(self) -> dict[str, object]:
        r"""The columns of the report."""
        return {
            'median_ms': self.median,
            'p20_ms': self.quantile(0.2),
            'p80_ms': self.quantile(0.8),
            'samples': len(self.samples),
            'error': self.error,
        }


def compare(
    candidates: Mapping[str, Call],
    device: torch.device,
    budget: float = 2.0,
    min_rounds: int = 5,
) -> dict[str, Timing]:
    r"""Times candidates against each other.

    After a warm-up, rounds of one sample a candidate follow each other in
    rotating order (A B C, B C A, ...), so that a change in the machine's clock
    or load meets all alike. Candidates that cannot run are reported with their
    error instead of stopping the others.
    """
    clock = _cuda_sample if device.type == 'cuda' else _cpu_sample
    timings = {name: Timing() for name in candidates}
    repeats: dict[str, int] = {}
    round_seconds = 0.0
    for name, call in candidates.items():
        try:
            seconds = clock(call, 1) / 1e3
            if seconds < LONG_CALL_SECONDS:  # Else the first call is warm-up enough.
                seconds = clock(call, 1) / 1e3
        except (RuntimeError, ValueError, ImportError) as error:
            timings[name].error = _first_line(error)
            continue
        repeats[name] = max(1, int(MIN_SAMPLE_SECONDS / max(seconds, 1e-7)))
        round_seconds += seconds * repeats[name]

    names = list(repeats)
    if not names:
        return timings
    rounds = int(budget / max(round_seconds, 1e-7))
    gc.collect()
    gc.disable()
    try:
        for i in range(min(max(rounds, min_rounds), MAX_ROUNDS)):
            for name in names[i % len(names) :] + names[: i % len(names)]:
                sample = clock(candidates[name], repeats[name])
                timings[name].samples.append(sample)
    finally:
        gc.enable()
    return timings


def synchronize(device: torch.device) -> None:
    r"""Waits for all work on a device."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _cpu_sample(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return 1e3 * (time.perf_counter() - start) / repeats


def _cuda_sample(call: Call, repeats: int) -> float:
    flush = torch.empty(CUDA_FLUSH_BYTES, dtype=torch.int8, device='cuda')
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    flush.zero_()
    start.record()
    for _ in range(repeats):
        call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / repeats


def _first_line(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'.splitlines()[0][:200]
