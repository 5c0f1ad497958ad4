r"""How tutorials are run: in plots that suit light and dark pages, without warnings of
other libraries.
"""

import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

GRAY = '#7d8590'
STYLE = {
    'axes.edgecolor': GRAY,
    'axes.labelcolor': GRAY,
    'axes.prop_cycle': plt.cycler(
        color=['#3e85d3', '#d9822b', '#2f9e6e', '#b0568f', '#8a8f98']
    ),
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.titlecolor': GRAY,
    'boxplot.boxprops.color': GRAY,
    'boxplot.capprops.color': GRAY,
    'boxplot.flierprops.markeredgecolor': GRAY,
    'boxplot.medianprops.color': '#d9822b',
    'boxplot.whiskerprops.color': GRAY,
    'figure.dpi': 110,
    'legend.framealpha': 0.0,
    'legend.labelcolor': GRAY,
    'savefig.transparent': True,
    'text.color': GRAY,
    'xtick.color': GRAY,
    'ytick.color': GRAY,
}


def reset(conf: dict[str, Any], name: str) -> None:
    plt.rcdefaults()
    plt.rcParams.update(STYLE)
    warnings.filterwarnings('ignore', category=DeprecationWarning)
    warnings.filterwarnings('ignore', category=FutureWarning)
    warnings.filterwarnings('error', category=UserWarning)  # A page shows none.
    warnings.filterwarnings('ignore', 'Sparse CSR tensor support is in beta')


CONF = {
    'examples_dirs': str(Path(__file__).parents[1] / 'tutorials'),
    'gallery_dirs': 'gallery',
    'within_subsection_order': 'FileNameSortKey',
    'reset_modules': ('gallery.reset',),
    'abort_on_example_error': True,
    'capture_repr': ('_repr_html_', '__repr__'),
    'download_all_examples': False,
    'show_memory': False,
    'show_signature': False,
    'write_computation_times': False,
    'copyfile_regex': r'README\.rst',
}
