import pandas as pd
import torch

from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.reporting.accuracy import judge
from lgmrec_pyg.reporting.intervals import mean_intervals
from lgmrec_pyg.reporting.run import Run


@torch.no_grad()
def modality_value(run: Run, split: str = 'test', seed: int = 0) -> pd.DataFrame:
    r"""Returns what each modality adds to a trained model: how much its metrics fall
    once the features of the modality are permuted among its nodes, as in the `"All
    Models are Wrong, but Many are Useful" <https://arxiv.org/abs/1801.01489>`_ paper.
    What is computed of features, such as similar items, is computed anew.

    Args:
        run (Run): The run.
        split (str, optional): The split to rank for. (default: :obj:`"test"`)
        seed (int, optional): The seed of the permutation. (default: :obj:`0`)

    Returns:
        A table with a row per modality and metric, and the columns :obj:`modality`,
        :obj:`metric`, :obj:`mean`, :obj:`low` and :obj:`high`, of the fall. Its
        intervals are those of a bootstrap over users.
    """
    full = judge(run.data, run.embeddings, split).users
    rows = []
    for name in run.model.feature_dims:
        data = run.data.clone()
        rng = torch.Generator().manual_seed(seed)
        data[name].x = data[name].x[torch.randperm(data[name].num_nodes, generator=rng)]
        emb = run.model.embed(*model_inputs(run.transform(data)))
        fall = mean_intervals(full - judge(run.data, emb, split).users)
        rows.append(fall.rename_axis('metric').reset_index().assign(modality=name))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
