import math

import torch
from torch import Tensor


class EarlyStopping:
    r"""Remembers the weights of the best evaluation, and asks to stop once
    :obj:`patience` evaluations in a row have not improved on it.

    Args:
        patience (int, optional): The number of evaluations without improvement
            after which to stop. (default: :obj:`20`)
        mode (str, optional): Whether higher (:obj:`"max"`) or lower values
            (:obj:`"min"`) are better. (default: :obj:`"max"`)

    Raises:
        ValueError: If :obj:`patience` is not positive, or :obj:`mode` unknown.
    """

    def __init__(self, patience: int = 20, mode: str = 'max') -> None:
        if patience <= 0:
            raise ValueError(
                f"'patience' needs to be a positive integer (got {patience})"
            )
        if mode not in ('max', 'min'):
            raise ValueError(f"'mode' needs to be 'max' or 'min' (got {mode!r})")
        self.patience = patience
        self.mode = mode
        self.best_value = -math.inf if mode == 'max' else math.inf
        self.best_state: dict[str, Tensor] | None = None
        self.num_worse = 0

    @property
    def should_stop(self) -> bool:
        r"""Whether the patience has run out."""
        return self.num_worse >= self.patience

    @torch.no_grad()
    def update(self, value: float, state: dict[str, Tensor]) -> bool:
        r"""Takes in the result of an evaluation, and returns whether it is the
        best so far. One that is NaN never is.

        Args:
            value (float): The validation metric.
            state (Dict[str, torch.Tensor]): The weights that reached it, as
                returned by :meth:`torch.nn.Module.state_dict`. They are copied.
        """
        best = self.best_value
        if not (value > best if self.mode == 'max' else value < best):
            self.num_worse += 1
            return False
        self.best_value = value
        self.best_state = {key: weight.clone() for key, weight in state.items()}
        self.num_worse = 0
        return True

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(patience={self.patience})'
