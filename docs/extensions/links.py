r"""Links to the documentation of other libraries, by a table instead of inventories,
which would have to be downloaded: documentation builds the same with and without a
network, and a name that does not exist is an error.
"""

import builtins
from functools import cache
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PYTHON = 'https://docs.python.org/3/library'
PYTORCH = 'https://docs.pytorch.org/docs/stable'
PYG = 'https://pytorch-geometric.readthedocs.io/en/latest'
NUMPY = 'https://numpy.org/doc/stable/reference'
PANDAS = 'https://pandas.pydata.org/docs/reference/api'

# Names that have a page of their own.
PAGES = {
    f'{PYTORCH}/generated': [
        'torch.Generator',
        'torch.compile',
        'torch.load',
        'torch.save',
        'torch.cuda.CUDAGraph',
        'torch.nn.Linear',
        'torch.nn.Module',
        'torch.nn.functional.embedding_bag',
        'torch.optim.lr_scheduler.LRScheduler',
    ],
    f'{PYG}/generated': [
        'torch_geometric.data.Data',
        'torch_geometric.data.HeteroData',
        'torch_geometric.data.InMemoryDataset',
        'torch_geometric.datasets.MovieLens',
        'torch_geometric.datasets.MovieLens100K',
        'torch_geometric.datasets.MovieLens1M',
        'torch_geometric.nn.conv.APPNP',
        'torch_geometric.nn.conv.HypergraphConv',
        'torch_geometric.nn.conv.MessagePassing',
        'torch_geometric.nn.pool.ApproxMIPSKNNIndex',
        'torch_geometric.nn.pool.KNNIndex',
        'torch_geometric.nn.pool.MIPSKNNIndex',
        'torch_geometric.transforms.BaseTransform',
        'torch_geometric.transforms.ToSparseTensor',
        'torch_geometric.transforms.ToUndirected',
    ],
    f'{NUMPY}/generated': ['numpy.ndarray', 'numpy.save'],
    PANDAS: ['pandas.DataFrame', 'pandas.Series'],
}
# Names that share a page.
SECTIONS = {
    f'{PYTORCH}/tensors.html': ['torch.Tensor'],
    f'{PYTORCH}/tensor_attributes.html': ['torch.device', 'torch.dtype'],
    f'{PYTORCH}/optim.html': ['torch.optim.Optimizer'],
    f'{PYTORCH}/generated/torch.nn.Module.html': ['torch.nn.Module.state_dict'],
    f'{PYG}/generated/torch_geometric.data.HeteroData.html': [
        'torch_geometric.data.HeteroData.subgraph',
        'torch_geometric.data.HeteroData.to_homogeneous',
    ],
    f'{PYG}/generated/torch_geometric.nn.conv.MessagePassing.html': [
        'torch_geometric.nn.conv.MessagePassing.propagate'
    ],
    f'{PYG}/modules/utils.html': ['torch_geometric.utils.spmm'],
    f'{PYTHON}/collections.abc.html': [
        f'collections.abc.{name}'
        for name in ('Callable', 'Iterable', 'Iterator', 'Mapping', 'Sequence', 'Set')
    ],
    'https://fastapi.tiangolo.com/reference/fastapi/': ['fastapi.FastAPI'],
    f'{PYTHON}/datetime.html': ['datetime.datetime.strptime'],
    f'{PYTHON}/os.html': ['os.PathLike'],
}
# Documented nowhere by name.
UNLINKED = [
    'torch_geometric.EdgeIndex',
    'torch_geometric.data.storage.EdgeStorage',
    'torch_geometric.typing.Adj',
    'torch_geometric.typing.SparseTensor',
]
LINKS = {
    **{
        name: f'{url}/{name}.html#{name}'
        for url, names in PAGES.items()
        for name in names
    },
    **{name: f'{url}#{name}' for url, names in SECTIONS.items() for name in names},
    **dict.fromkeys(UNLINKED, ''),
}
OURS = ('lgmrec_pyg.', 'torch.', 'torch_geometric.')
BUILTINS = {name.lower() for name in dir(builtins)} | {'any', 'optional', 'union'}


def load(name: str) -> Any:
    r"""What a full name stands for, or :obj:`None`."""
    module, _, attribute = name.rpartition('.')
    try:
        return getattr(import_module(module), attribute, None)
    except (ImportError, ValueError):
        return None


@cache
def find(target: str, own: frozenset[str]) -> str | None:
    r"""The full name of a type, which docstrings and signatures may shorten, or name by
    where it is defined.
    """
    short = target.rpartition('.')[2]
    for name in [*LINKS, *own]:
        if name == target or (name.endswith(f'.{short}') and '.' not in target):
            return name
        if name.endswith(f'.{short}') and load(name) is load(target) is not None:
            return name
    owner, _, method = target.rpartition('.')
    for base in getattr(load(owner), '__mro__', ()):  # Documented where it is defined.
        for name in own:
            if name.endswith(f'.{base.__name__}.{method}'):
                return name
    return None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: Any, contnode: nodes.Element
) -> nodes.Element | None:
    target = node['reftarget']
    if node['refdomain'] != 'py':
        return None
    if target.lower().removeprefix('typing.') in BUILTINS:
        return contnode
    domain = env.domains.python_domain
    name = find(target, frozenset(domain.objects))
    if name in LINKS:
        if not LINKS[name]:
            return contnode
        return nodes.reference('', '', contnode, refuri=LINKS[name], reftitle=name)
    if name is not None and name != target:
        return domain.resolve_xref(
            env, node['refdoc'], app.builder, node['reftype'], name, node, contnode
        )
    # What is not exported, in a signature; and, a convention of PyG, code as `obj`.
    is_code = node['reftype'] == 'obj' and not target.startswith(OURS)
    return contnode if is_code or load(target) is not None else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('missing-reference', resolve)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
