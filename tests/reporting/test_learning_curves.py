import sys

import pytest

from lgmrec_pyg.reporting import plot_learning_curves
from lgmrec_pyg.training import History


def test_figure_is_saved(tmp_path):
    pytest.importorskip('matplotlib')
    history = History(
        losses=[{'total': 3.0, 'bpr': 2.0}, {'total': 2.0, 'bpr': 1.5}],
        metrics=[{'Recall@20': 0.1}],
        eval_epochs=[2],
        best_epoch=2,
    )
    path = tmp_path / 'new' / 'curves.png'
    plot_learning_curves(history, str(path))
    assert path.read_bytes()[:8] == b'\x89PNG\r\n\x1a\n'
    plot_learning_curves(History(), str(tmp_path / 'empty.svg'))
    assert (tmp_path / 'empty.svg').stat().st_size > 0


def test_missing_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(ImportError, match='pip install matplotlib'):
        plot_learning_curves(History(), str(tmp_path / 'curves.png'))
