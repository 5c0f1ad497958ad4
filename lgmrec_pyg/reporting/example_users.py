from typing import NamedTuple

import torch
from torch import Tensor

from lgmrec_pyg.graph import INTERACTS, LABELS, training_pairs
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.reporting.catalogue import thumbnail
from lgmrec_pyg.reporting.run import Run


class Card(NamedTuple):
    r"""An item to show.

    Args:
        id (str): Its id.
        title (str): Its title, if there is one.
        image (str, optional): Its picture as a :obj:`data:` address, if there is one.
        is_hit (bool, optional): Whether it was withheld from training.
            (default: :obj:`False`)
    """

    id: str
    title: str
    image: str | None
    is_hit: bool = False


class Example(NamedTuple):
    r"""A user, and what is recommended.

    Args:
        user (str): The id of the user.
        num_items (int): The number of training pairs of the user.
        history (List[Card]): Some of their items.
        recommended (List[Card]): The recommended items, best first.
    """

    user: str
    num_items: int
    history: list[Card]
    recommended: list[Card]


def make_card(run: Run, item: int, is_hit: bool = False) -> Card:
    r"""Returns an item of a run to show, with what its catalogue has of it.

    Args:
        run (Run): The run.
        item (int): The index of the item.
        is_hit (bool, optional): Whether it was withheld from training.
            (default: :obj:`False`)
    """
    key = run.recommender.items.decode([item])[0]
    entry = run.catalogue[key]
    image = thumbnail(entry.image) if entry.image else None
    return Card(str(key), entry.title, image, is_hit)


def example_users(run: Run, num_users: int = 6, k: int = 8) -> list[Example]:
    r"""Returns users from the least to the most active one, and what is recommended to
    them without their training pairs.

    Args:
        run (Run): The run.
        num_users (int, optional): The number of users. (default: :obj:`6`)
        k (int, optional): The number of items of each list. (default: :obj:`8`)
    """
    known, pairs = run.recommender, training_pairs(run.data)
    degree = torch.bincount(pairs[0], minlength=len(known.users))
    order = degree.argsort(stable=True)[int((degree == 0).sum()) :]
    places = torch.linspace(0, len(order) - 1, min(num_users, len(order))).long()
    tables = known.user_emb, known.item_emb, known.users, known.items, pairs
    _, ranking = Recommender(*tables).rank(order[places], min(k, len(known.items)))
    store = run.data[INTERACTS]
    withheld = torch.cat([store[name] for name in LABELS if name in store], dim=1)
    out = []
    for user, items in zip(order[places].tolist(), ranking, strict=True):
        hits = _items_of(withheld, user).tolist()
        history = _items_of(pairs, user)[:k].tolist()
        recommended = [make_card(run, i, i in hits) for i in items.tolist() if i >= 0]
        out.append(
            Example(
                str(known.users.decode([user])[0]),
                int(degree[user]),
                [make_card(run, i) for i in history],
                recommended,
            )
        )
    return out


def _items_of(pairs: Tensor, user: int) -> Tensor:
    return pairs[1, pairs[0] == user]
