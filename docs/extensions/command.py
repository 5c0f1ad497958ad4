r"""The directive `command-help`: what every verb of the command line says of itself."""

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

# Plain text in the width of a page, whatever the terminal of the build.
PLAIN = {'COLUMNS': '84', 'NO_COLOR': '1', 'TERM': 'dumb'}


class CommandHelp(Directive):
    def run(self) -> list[nodes.Node]:
        try:
            from typer.main import get_command
            from typer.testing import CliRunner

            from lgmrec_pyg.cli import app
        except ImportError:
            return []
        out: list[nodes.Node] = []
        for verb in ('', *get_command(app).commands):
            call = [verb, '--help'] if verb else ['--help']
            found = CliRunner().invoke(app, call, prog_name='lgmrec', env=PLAIN)
            if found.exit_code:
                raise self.error(f"'lgmrec {' '.join(call)}' fails: {found.output}")
            section = nodes.section(ids=[f'lgmrec-{verb}'.rstrip('-')])
            section += nodes.title('', f'lgmrec {verb}'.strip())
            text = '\n'.join(
                line.rstrip() for line in found.output.strip().splitlines()
            )
            section += nodes.literal_block(text, text, language='text')
            out.append(section)
        return out


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive('command-help', CommandHelp)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
