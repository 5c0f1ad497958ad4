import hashlib
import math
from typing import Any

import torch
from torch import Tensor

FREQUENCIES = (1.0, 2**0.5, 3**0.5, 5**0.5)
ROWS = 4096
LIMIT = 2.0**480  # Squares of larger entries exceed double precision.
TOLERANCE = 1e-5


def summarize(x: Tensor) -> dict[str, Any]:
    r"""Returns what tells floating-point tensors apart but for rounding, which
    may differ by machine, as plain types: shape, type, norm, and the sums

    .. math::
        \sum_{n, j} \cos(\omega n) \frac{x_{nj}}{\Vert \mathbf{x}_j \Vert_2}
        \sin(\omega j) \qquad
        \sum_j \sin(\omega j) \log \Vert \mathbf{x}_j \Vert_2

    of a few frequencies :math:`\omega`. Each column :math:`\mathbf{x}_j` counts at
    its own scale, so that large ones do not hide changes of small ones. Entries
    that are NaN, infinite or huge enter as a digest instead of the sums.

    Args:
        x (torch.Tensor): The tensor, of any shape.
    """
    num_rows = x.size(0) if x.dim() > 0 else 1
    rows = x.detach().reshape(num_rows, x.numel() // max(num_rows, 1))
    norm, odd = _column_norms(rows), {}
    if not norm.isfinite().all():
        rows, odd['odd'] = _without_odd(rows.double())
        norm = _column_norms(rows)
    column = _angles(rows.size(1)).sin()
    weight = (column / norm.where(norm > 0, torch.inf).view(-1, 1)).to(x.device)
    row = _angles(num_rows).cos().to(x.device)
    sums = row.new_zeros(len(FREQUENCIES))
    for chunk, wave in zip(rows.split(ROWS), row.split(ROWS), strict=True):
        sums += (wave * (chunk.double() @ weight)).sum(dim=0)
    scales = norm.where(norm > 0, 1.0).log() @ column
    return {
        'shape': list(x.shape),
        'dtype': str(x.dtype).removeprefix('torch.'),
        'norm': float(torch.linalg.vector_norm(norm)),
        'sums': [*sums.tolist(), *scales.tolist()],
        **odd,
    }


def same_values(expected: dict[str, Any], got: dict[str, Any]) -> bool:
    r"""Returns whether two tensors hold the same but for rounding.

    Args:
        expected (Dict[str, Any]): The summary of the first one.
        got (Dict[str, Any]): The summary of the second one.
    """
    for key in ('shape', 'dtype', 'odd'):
        if expected.get(key) != got.get(key):
            return False
    if len(expected['sums']) != len(got['sums']):
        return False
    scale = max(math.prod(got['shape'][1:]), 1) ** 0.5
    gaps = [abs(a - b) for a, b in zip(expected['sums'], got['sums'], strict=True)]
    norm_gap = abs(expected['norm'] - got['norm'])
    return norm_gap <= TOLERANCE * got['norm'] and all(
        gap <= TOLERANCE * scale for gap in gaps
    )


def _column_norms(rows: Tensor) -> Tensor:
    square = rows.new_zeros(rows.size(1), dtype=torch.float64)
    for chunk in rows.split(ROWS):
        square += chunk.double().square().sum(dim=0)
    return square.sqrt().cpu()


def _without_odd(rows: Tensor) -> tuple[Tensor, str]:
    odd = ~(rows.abs() <= LIMIT)
    values = rows[odd]
    values[values.isnan()] = torch.nan  # Which has many forms.
    digest = hashlib.sha256(odd.cpu().numpy().tobytes())
    digest.update(values.cpu().numpy().tobytes())
    return rows.masked_fill(odd, 0.0), digest.hexdigest()


def _angles(size: int) -> Tensor:
    # Frequencies without a common period tell all rows and columns apart.
    frequency = torch.tensor(FREQUENCIES, dtype=torch.float64)
    return torch.arange(1, size + 1).view(-1, 1) * frequency
