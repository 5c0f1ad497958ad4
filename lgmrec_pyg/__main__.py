r"""The command line: ``python -m lgmrec_pyg``, or ``lgmrec``."""

import sys


def main() -> None:
    r"""Runs the command line."""
    try:
        from lgmrec_pyg.cli import run
    except ModuleNotFoundError as error:
        if error.name != 'typer':
            raise
        sys.exit("The command line needs 'typer': pip install 'lgmrec_pyg[cli]'")
    run()


if __name__ == '__main__':
    main()
