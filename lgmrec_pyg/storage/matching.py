from typing import Any

from lgmrec_pyg.graph import ITEM, USER
from lgmrec_pyg.storage.summary import same_values


def check_sizes(settings: dict[str, Any], got: dict[str, Any], owner: str) -> None:
    r"""Checks that a graph has the sizes of a model.

    Args:
        settings (Dict[str, Any]): The settings of the model.
        got (Dict[str, Any]): The fingerprint of the graph.
        owner (str): What error messages call the model.

    Raises:
        ValueError: If it has others.
    """
    for name in ('num_users', 'num_items'):
        size = settings.get(name, got[name])
        if size != got[name]:
            raise ValueError(
                f"'{name}' of 'data' needs to be {size}, as in {owner} (got "
                f'{got[name]})'
            )
    widths = {name: x['shape'][1] for name, x in got['modalities'].items()}
    for name, width in dict(settings.get('feature_dims') or {}).items():
        if widths.get(name) != width:
            raise ValueError(
                f"'{name}' of 'data' needs to have features of width {width}, as in "
                f'{owner} (got {widths.get(name, "none")})'
            )


def check_same_graph(
    card: dict[str, Any], got: dict[str, Any], any_data: bool, path: str
) -> None:
    r"""Checks that a graph is the one that a saved model was trained on.

    Args:
        card (Dict[str, Any]): The card of the model.
        got (Dict[str, Any]): The fingerprint of the graph.
        any_data (bool): Whether only sizes and ids need to be the same.
        path (str): The folder of the model.

    Raises:
        ValueError: If it is another, with all differences.
    """
    expected = card['data']
    try:
        check_sizes(card['settings'], got, f"'{path}'")
        others = [] if expected is None else other_ids(expected, got)
        found = [] if expected is None else differences(expected, got)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"'data' in the card of '{path}' is damaged") from error
    if others:
        raise ValueError(
            f"'data' needs to hold the {' and '.join(others)} ids of '{path}' in the "
            f'same order (got others, whose embeddings would be mixed up)'
        )
    if found and not any_data:
        raise ValueError(
            f"'data' needs to be the graph that the model in '{path}' was trained on "
            f'(got {", ".join(found)}): prepare it by the same transforms, or pass '
            f"'any_data=True' in case it is meant to differ"
        )


def differences(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    r"""Returns in words how two graphs differ, by their fingerprints. Modalities
    that only the second one has do not count.

    Args:
        expected (Dict[str, Any]): The fingerprint to compare with.
        got (Dict[str, Any]): The fingerprint to compare.
    """
    out = [
        f'{got[key]} {name} instead of {expected[key]}'
        for key, name in (
            ('num_users', 'users'),
            ('num_items', 'items'),
            ('num_pairs', 'training pairs'),
        )
        if got[key] != expected[key]
    ]
    if not out and got['pairs'] != expected['pairs']:
        out.append('other training pairs')
    out += [f'other ids of {kind}s' for kind in other_ids(expected, got)]
    for name, modality in expected['modalities'].items():
        if name not in got['modalities']:
            out.append(f"no features of '{name}'")
        else:
            out += _modality_differences(name, modality, got['modalities'][name])
    return out


def other_ids(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    r"""Returns the node types whose ids are known in both graphs, and differ.

    Args:
        expected (Dict[str, Any]): The fingerprint to compare with.
        got (Dict[str, Any]): The fingerprint to compare.
    """
    keys = {kind: f'{kind}_ids' for kind in (USER, ITEM)}
    return [
        kind
        for kind, key in keys.items()
        if None not in (expected[key], got[key]) and expected[key] != got[key]
    ]


def _modality_differences(
    name: str, expected: dict[str, Any], got: dict[str, Any]
) -> list[str]:
    for key in ('shape', 'dtype'):
        if expected[key] != got[key]:
            return [
                f"features of '{name}' of {key} {got[key]} instead of {expected[key]}"
            ]
    out = []
    if not same_values(expected, got):
        out.append(f"other features of '{name}'")
    if expected['describes'] != got['describes']:
        out.append(f"other items described by '{name}'")
    return out
