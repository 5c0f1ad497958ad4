from collections.abc import Mapping, Sequence

from lgmrec_pyg.reporting.published import METRICS


def results_table(
    rows: Mapping[tuple[str, str], Mapping[str, float]],
    metrics: Sequence[str] = METRICS,
) -> str:
    r"""Lays out the metrics of several models as a text table.

    Args:
        rows (Dict[Tuple[str, str], Dict[str, float]]): The metrics of every
            model, by its name and by where the numbers come from. A metric that
            is missing is shown as a dash.
        metrics (Sequence[str], optional): The columns. (default:
            :obj:`("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")`)
    """
    cells = [['Model', 'Source', *metrics]]
    for (model, source), values in rows.items():
        numbers = [f'{values[m]:.4f}' if m in values else '-' for m in metrics]
        cells.append([model, source, *numbers])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        '  '.join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    rule = '-' * (sum(widths) + 2 * (len(widths) - 1))
    return '\n'.join([lines[0], rule, *lines[1:]])
