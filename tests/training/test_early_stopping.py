import math

import pytest
import torch

from lgmrec_pyg.training import EarlyStopping


def test_stops_after_patience_evaluations_without_improvement():
    stopper = EarlyStopping(patience=2)
    weight = torch.zeros(1)
    improved, stopped = [], []
    for i, value in enumerate([0.1, 0.3, 0.3, 0.4, math.nan, 0.2]):
        weight.fill_(i)
        improved.append(stopper.update(value, {'weight': weight}))
        stopped.append(stopper.should_stop)
    assert improved == [True, True, False, True, False, False]
    assert stopped == [False, False, False, False, False, True]
    assert stopper.best_value == 0.4
    assert stopper.best_state == {'weight': torch.tensor([3.0])}


def test_lower_values_may_be_better():
    stopper = EarlyStopping(patience=2, mode='min')
    improved = [stopper.update(value, {}) for value in [0.3, 0.4, 0.1, math.nan, 0.1]]
    assert improved == [True, False, True, False, False]
    assert stopper.should_stop
    with pytest.raises(ValueError, match=r"'mode' needs .* \(got 'low'\)"):
        EarlyStopping(mode='low')


def test_patience_needs_to_be_positive():
    assert str(EarlyStopping()) == 'EarlyStopping(patience=20)'
    with pytest.raises(ValueError, match=r"'patience' .* \(got 0\)"):
        EarlyStopping(patience=0)
