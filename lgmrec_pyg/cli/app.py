import re
import sys
import warnings
from typing import Annotated

import typer

from lgmrec_pyg import __version__

WRONG_USE, FAILED = 2, 1
ARGUMENT = re.compile(r"argument '(\w+)'")

RunFolder = Annotated[str, typer.Argument(help="The folder of a run, as 'fit' saves.")]

#: The verbs, as ``typer`` runs them.
app = typer.Typer(
    name='lgmrec',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode='rich',
    pretty_exceptions_enable=False,
    context_settings={'help_option_names': ['-h', '--help']},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def lgmrec(
    version: Annotated[
        bool,
        typer.Option('--version', callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    r"""Multimodal recommendation by LGMRec, from a table of clicks to a page about it.

    Examples:

        lgmrec fit clicks.csv --features features --out run
        lgmrec report run
        lgmrec recommend run --user customer-0007
    """


def run() -> None:
    r"""Runs the command line. Wrong values end with exit code 2, and all that fails for
    other reasons with 1, both with a message instead of a traceback.
    """
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except (ValueError, FloatingPointError) as error:
        _stop(error, WRONG_USE)
    except (OSError, ImportError) as error:
        _stop(error, FAILED)


def say(message: str) -> None:
    r"""Prints what is no result, to where it mixes with none.

    Args:
        message (str): The message.
    """
    typer.echo(message, err=True)


def _stop(error: Exception, code: int) -> None:
    # What Python calls an argument is an option here.
    say('Error: ' + ARGUMENT.sub(r'option --\1', str(error)))
    sys.exit(code)


def _show_warning(message: Warning | str, *_: object) -> None:
    say(f'Warning: {message}')
