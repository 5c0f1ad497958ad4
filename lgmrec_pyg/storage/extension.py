from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import ITEM, USER, IdMap, get_ids
from lgmrec_pyg.nn.models.base import unwrap
from lgmrec_pyg.storage.digest import fingerprint, match_graph

SIZES = {USER: 'num_users', ITEM: 'num_items'}


@torch.no_grad()
def extend_model(
    model: Module,
    ids: HeteroData | Mapping[str, IdMap],
    data: HeteroData,
    **kwargs: Any,
) -> Any:
    r"""Returns a model of a graph to which users and items were added since: the
    rows of those it knows, found by their ids, and all other weights are those of
    the old model, and new rows are initialized like those of a new model. Users and
    items that are gone lose their rows.

    .. code-block:: python

        model = extend_model(model, yesterday, today)
        fit(model, today)

    An optimizer starts anew: Adam would take its first steps on new rows, which lack
    the moments that old ones have, at several times its learning rate.

    Args:
        model (torch.nn.Module): The trained model, whose :obj:`settings` hold the
            arguments of its constructor.
        ids (HeteroData or Dict[str, IdMap]): The graph of its training, or its ids,
            see :func:`load_ids`. Without ids, indices count.
        data (HeteroData): The graph to go on with.
        **kwargs (optional): Arguments of the constructor that :obj:`settings` lack,
            *e.g.*, :obj:`contrast`.

    Raises:
        ValueError: If only one of both graphs has ids, if they share none, if
            features are of other widths, or if the model has tables of features, see
            :class:`~lgmrec_pyg.nn.LearnedFeatures`, whose rows have no ids.
    """
    model = unwrap(model)
    settings: Any = {**model.settings, **kwargs}  # type: ignore[dict-item]
    if 'num_nodes' in settings:
        raise ValueError(
            f"'{type(model).__name__}' cannot be extended: it trains tables of "
            f'features, and the nodes of a modality have no ids. Train a new one, or '
            f'its backbone on features as they are'
        )
    widths = {'feature_dims': settings.get('feature_dims')}
    match_graph(widths, {}, fingerprint(data), "'model'")
    rows = {kind: _find(kind, ids, data, settings) for kind in SIZES}
    weights, grown = model.state_dict(), {}
    with torch.device('meta'):  # Which weights have a row per node, and where?
        for kind, size in SIZES.items():
            larger = type(model)(**{**settings, size: settings[size] + 1})
            grown[kind] = larger.state_dict()
    sizes = {size: rows[kind].numel() for kind, size in SIZES.items()}
    out = type(model)(**{**settings, **sizes}).to(next(iter(weights.values())))
    for name, new in out.state_dict().items():
        for kind, row in rows.items():
            sides = zip(weights[name].size(), grown[kind][name].size(), strict=True)
            dim = next((i for i, (a, b) in enumerate(sides) if a != b), None)
            if dim is not None:
                known = (row >= 0).nonzero().view(-1).to(new.device)
                old = weights[name].index_select(dim, row.to(new.device)[known])
                new.index_copy_(dim, known, old)
                break
        else:
            new.copy_(weights[name])
    return out.train(model.training)


def _find(
    kind: str, ids: HeteroData | Mapping[str, IdMap], data: HeteroData, settings: Any
) -> Tensor:
    if isinstance(ids, HeteroData):
        old = None if get_ids(ids, kind) is None else IdMap.of(ids, kind)
    else:
        old = ids.get(kind)
    new = get_ids(data, kind)
    if (old is None) != (new is None):
        raise ValueError(
            f"Nodes of type '{kind}' need to have ids in both graphs, or in none "
            f'(got none in the {"old" if old is None else "new"} one)'
        )
    old = IdMap(range(settings[SIZES[kind]])) if old is None else old
    rows = old.find(IdMap.of(data, kind).ids, f'{kind}.ids')
    if not bool((rows >= 0).any()):
        raise ValueError(
            f"'data' needs to have nodes of type '{kind}' that the model knows (got "
            f'none of {len(old)} among {rows.numel()})'
        )
    return rows
