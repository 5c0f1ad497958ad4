r"""Training shared by the processes of :obj:`torchrun`."""

from lgmrec_pyg.distributed.evaluation import ShardedEvaluator
from lgmrec_pyg.distributed.export import own_recommender
from lgmrec_pyg.distributed.processes import processes
from lgmrec_pyg.distributed.sharding import shard, unshard
from lgmrec_pyg.ops.parallel import parallel
from lgmrec_pyg.ops.processes import Parallel

__all__ = classes = [
    'Parallel',
    'ShardedEvaluator',
    'own_recommender',
    'parallel',
    'processes',
    'shard',
    'unshard',
]
