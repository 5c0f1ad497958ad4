r"""Training shared by the processes of :obj:`torchrun`."""

from lgmrec_pyg.distributed.evaluation import ShardedEvaluator, own_users
from lgmrec_pyg.distributed.export import own_recommender
from lgmrec_pyg.distributed.partition import partition
from lgmrec_pyg.distributed.processes import processes
from lgmrec_pyg.distributed.sharding import shard, unshard
from lgmrec_pyg.ops.parallel import parallel

__all__ = [
    'ShardedEvaluator',
    'own_recommender',
    'own_users',
    'parallel',
    'partition',
    'processes',
    'shard',
    'unshard',
]
