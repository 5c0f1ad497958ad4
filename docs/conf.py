r"""Builds the documentation: `sphinx-build -W docs docs/_build`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE / 'extensions'), str(HERE.parent)]

import gallery  # noqa: E402

import lgmrec_pyg  # noqa: E402

project = 'lgmrec_pyg'
author = copyright = 'the authors of lgmrec_pyg'  # noqa: A001
version = release = lgmrec_pyg.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'myst_parser',
    'sphinx_gallery.gen_gallery',
    # Of this folder's `extensions`.
    'command',
    'links',
    'mathml',
    'pages',
    'pictures',
    'reference',
]
exclude_patterns = ['_build', 'README.md', 'extensions', 'tutorials']
nitpicky = True
autosummary_generate = False
autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
napoleon_custom_sections = ['Shapes']
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_heading_anchors = 3
sphinx_gallery_conf = gallery.CONF

html_theme = 'furo'
html_title = f'lgmrec_pyg {release}'
html_math_renderer = 'mathml'
html_static_path = ['_static']
html_css_files = ['style.css']
html_copy_source = False
html_show_sourcelink = False
