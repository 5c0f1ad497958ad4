r"""
Which kernel propagates fastest?
================================

Graph convolution is a product of a sparse matrix and the embeddings. PyTorch has
several kernels for that, this package one more, and they differ by an order of
magnitude. This page compares them on the machine that built it; the suite
``benchmarks.spmm`` does so thoroughly.
"""

# %%
# An :class:`~lgmrec_pyg.ops.Adjacency` holds the matrix and its transpose, which the
# backward pass multiplies with: nothing is transposed in the training loop.

import matplotlib.pyplot as plt
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import Timer

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.ops import Adjacency, choose_kernel, has_extension, spmm

data = SyntheticMultimodal('small')[0]
sizes = data['item'].num_nodes, data['user'].num_nodes
adj = Adjacency.from_adj(data[INTERACTS].edge_index, size=sizes, norm='sym')
print(f'{sizes[1]} users to {sizes[0]} items by {adj.csr.col.numel()} edges')

kernels = ['embedding_bag', 'sparse_reduce', 'sparse_mm', 'scatter']
if has_extension():
    kernels.insert(0, 'cpp')

# %%
# All give the same result, so only time tells them apart. Forward and backward at four
# widths:

widths = [4, 16, 64, 128]
times: dict[str, list[float]] = {kernel: [] for kernel in kernels}
for width in widths:
    x = torch.randn(sizes[1], width, requires_grad=True)
    expected = spmm(adj, x, kernel='scatter')
    for kernel in kernels:
        torch.testing.assert_close(spmm(adj, x, kernel=kernel), expected)
        timer = Timer('spmm(adj, x, kernel=kernel).sum().backward()', globals=globals())
        timing = timer.blocked_autorange(min_run_time=0.2)
        times[kernel].append(1e3 * timing.median)

figure, axis = plt.subplots(figsize=(7, 3.2), layout='constrained')
for kernel, marker in zip(kernels, 'osDv^', strict=False):
    axis.plot(widths, times[kernel], marker=marker, label=kernel)
axis.set(xlabel='columns', ylabel='ms, forward and backward', yscale='log')
axis.set_xscale('log', base=2)
axis.set_xticks(widths, widths)
axis.legend()
plt.show()

# %%
# ``kernel='auto'`` takes what measurements on other machines have found to be fastest:

for width in widths:
    print(f'{width:4d} columns: {choose_kernel(torch.empty(1, width))}')

# %%
# Where does a step of your own go? ``torch.profiler`` tells operators
# apart, those of this package by their names:

x = torch.randn(sizes[1], 64, requires_grad=True)
spmm(adj, x).sum().backward()  # What is done once is none of a step.
with profile(activities=[ProfilerActivity.CPU]) as prof:
    for _ in range(3):
        spmm(adj, spmm(adj.t(), spmm(adj, x))).sum().backward()
print(prof.key_averages().table(sort_by='self_cpu_time_total', row_limit=6))
