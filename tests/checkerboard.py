import torch

from lgmrec_pyg.recommend import Recommender

USERS = ['ann', 'bob', 'cid', 'dee']
ITEMS = ['i0', 'i1', 'i2', 'i3', 'i4', 'i5']


def checkerboard(**kwargs):
    r"""Users like items of their own colour, later ones less, and own the
    first of them; only 'dee' owns all of hers.
    """
    colour = torch.nn.functional.one_hot(torch.arange(6) % 2).float()
    item_emb = colour / torch.arange(1, 7).view(-1, 1)
    pairs = [[0, 1, 2, 3, 3, 3], [0, 1, 0, 1, 3, 5]]
    return Recommender(
        colour[:4], item_emb, USERS, ITEMS, torch.tensor(pairs), **kwargs
    )
