import os.path as osp
import sys
from enum import Enum
from typing import Annotated, Any

import typer

from lgmrec_pyg.cli.app import RunFolder, say
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.recommend import Recommendations, Recommender
from lgmrec_pyg.reporting import Catalogue, Run, results_table
from lgmrec_pyg.reporting.accuracy import popularity
from lgmrec_pyg.reporting.run import EMBEDDINGS

Option = typer.Option
Length = Annotated[int, Option('-k', help='The number of items.')]


class Format(str, Enum):
    r"""How to print a table."""

    table = 'table'
    csv = 'csv'
    json = 'json'


FormatOption = Annotated[Format, Option('--format', help='How to print.')]


def evaluate(
    run: RunFolder,
    split: Annotated[str, Option(help='test, or val.')] = 'test',
    k: Annotated[list[int], Option('-k', help='Lengths of lists.')] = [10, 20],  # noqa: B006
) -> None:
    r"""Rank all items for users with withheld pairs, beside popularity.

    Examples:

        lgmrec evaluate run
        lgmrec evaluate run --split val -k 5 -k 50
    """
    loaded = Run.load(run)
    evaluator = Evaluator.from_data(loaded.data, split, ks=k)
    rows = {
        (loaded.record['settings']['model'], run): evaluator(*loaded.embeddings),
        ('Popularity', 'this data'): evaluator(*popularity(loaded.data)),
    }
    columns = [f'{name}@{length}' for name in ('Recall', 'NDCG') for length in k]
    typer.echo(results_table(rows, columns))


def recommend(
    run: RunFolder,
    user: Annotated[list[str], Option(help='The id of a user; may repeat.')] = [],  # noqa: B006
    history: Annotated[
        list[str],
        Option(help='The id of an item that someone unknown has; may repeat.'),
    ] = [],  # noqa: B006
    k: Length = 10,
    include_seen: Annotated[
        bool, Option('--include-seen', help='Also what the user has.')
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    r"""Recommend items to users, or to someone unknown with some items.

    Examples:

        lgmrec recommend run --user customer-0007 -k 10
        lgmrec recommend run --history sku-0001 --history sku-0042 --format json
    """
    if bool(user) == bool(history):
        raise ValueError("One of '--user' and '--history' is needed")
    known = Recommender.load(osp.join(run, EMBEDDINGS))
    options: dict[str, Any] = {'k': k, 'include_seen': include_seen}
    if user:
        found = known.recommend(as_known(known.users, user, '--user'), **options)
    else:
        items = as_known(known.items, history, '--history')
        found = known.recommend_history(items, **options)
    print_table(found, run, form)


def similar(
    run: RunFolder,
    item: Annotated[list[str], Option(help='The id of an item; may repeat.')],
    k: Length = 10,
    form: FormatOption = Format.table,
) -> None:
    r"""Find the items that are most similar to others.

    Examples:

        lgmrec similar run --item sku-0042
    """
    known = Recommender.load(osp.join(run, EMBEDDINGS))
    ids = as_known(known.items, item, '--item')
    print_table(known.similar_items(ids, k=k), run, form)


def export(
    run: RunFolder,
    path: Annotated[str, typer.Argument(help='A file that ends in .parquet.')],
    k: Length = 20,
) -> None:
    r"""Write the recommendations of all users to a Parquet file.

    Examples:

        lgmrec export run top20.parquet
    """
    known = Recommender.load(osp.join(run, EMBEDDINGS))
    known.to_parquet(path, k=k)
    say(f"Wrote the items of {len(known.users):,} users to '{path}'")


def as_known(known: IdMap, ids: list[str], name: str) -> list[Any]:
    r"""Returns ids of the command line in the type of those that are known.

    Args:
        known (IdMap): The known ids.
        ids (List[str]): The ids of the command line.
        name (str): The name of their option.
    """
    if isinstance(known.ids[0], str):
        return ids
    try:
        return [int(x) for x in ids]
    except ValueError:
        raise ValueError(
            f"'{name}' needs to be an integer, as the ids of the data are (got {ids})"
        ) from None


def print_table(found: Recommendations, run: str, form: Format) -> None:
    r"""Prints ranked items, with their titles if the run has a catalogue.

    Args:
        found (Recommendations): The ranked items.
        run (str): The folder of the run.
        form (Format): How to print.
    """
    frame, catalogue = found.to_frame(), Catalogue.of_run(run)
    if len(catalogue) > 0:
        frame['title'] = [catalogue[x].title for x in frame[found.names[1]]]
    if form is Format.csv:
        frame.to_csv(sys.stdout, index=False)
    elif form is Format.json:
        typer.echo(frame.to_json(orient='records', force_ascii=False))
    else:
        typer.echo(frame.to_string(index=False))
