r"""The command line: each verb is a few lines over the API."""

from lgmrec_pyg.cli.answers import evaluate, export, recommend, similar
from lgmrec_pyg.cli.app import app, run
from lgmrec_pyg.cli.fit import fit
from lgmrec_pyg.cli.pages import info, report, serve

for verb in (fit, evaluate, recommend, similar, export, report, serve, info):
    app.command()(verb)

__all__ = ['app', 'run']
