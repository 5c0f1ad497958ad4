import math

import torch
from torch import Tensor


class EarlyStopping:
    r"""Remembers the weights of the best evaluation, and asks to stop once
    :obj:`patience` evaluations in a row have not improved on it.

    Args:
        patience (int, optional): The number of evaluations without improvement
            after which to stop. (default: :obj:`20`)

    Raises:
        ValueError: If :obj:`patience` is not positive.
    """

    def __init__(self, patience: int = 20) -> None:
        if patience <= 0:
            raise ValueError(
                f"'patience' needs to be a positive integer (got {patience})"
            )
        self.patience = patience
        self.best_value = -math.inf
        self.best_state: dict[str, Tensor] | None = None
        self.num_worse = 0

    @property
    def should_stop(self) -> bool:
        r"""Whether the patience has run out."""
        return self.num_worse >= self.patience

    @torch.no_grad()
    def update(self, value: float, state: dict[str, Tensor]) -> bool:
        r"""Takes in the result of an evaluation, and returns whether it is the
        best so far.

        Args:
            value (float): The validation metric, higher is better.
            state (Dict[str, torch.Tensor]): The weights that reached it, as
                returned by :meth:`torch.nn.Module.state_dict`. They are copied.
        """
        if not value > self.best_value:
            self.num_worse += 1
            return False
        self.best_value = value
        self.best_state = {key: weight.clone() for key, weight in state.items()}
        self.num_worse = 0
        return True

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(patience={self.patience})'
