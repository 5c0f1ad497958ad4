r"""Trains LGMRec in several processes, to the same result as one, with the options of
`amazon_baby.py`:

    torchrun --nproc-per-node 2 examples/distributed.py --shard columns

Every process holds a part of every batch, of the columns of tables, or of users and
items. On CPU, they talk by gloo, else by NCCL. With `--max-restarts 3` (of torchrun),
`--checkpoint run.safetensors` and `--resume`, a killed process does not matter.
"""

import os
import os.path as osp
import time
from contextlib import redirect_stdout

# Large tensors in huge pages (Linux), which PyTorch has to know before the first one.
os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')

import torch
import torch.distributed as dist
from amazon_baby import (
    arguments,
    build_model,
    parse_args,
    prepare,
    print_results,
    save_results,
)
from torch_geometric import seed_everything

from lgmrec_pyg.distributed import (
    ShardedEvaluator,
    own_recommender,
    parallel,
    processes,
    shard,
    unshard,
)
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.sampling import SubgraphSampler, TripletSampler
from lgmrec_pyg.training import fit, keep_freed_memory

parser = arguments()
parser.add_argument(
    '--shard',
    default='batch',
    choices=['batch', 'columns', 'rows'],
    help='what every process holds a part of',
)
parser.add_argument(
    '--num-neighbors',
    type=int,
    nargs='+',
    help='train on parts of the graph, with so many neighbors a hop',
)
parser.add_argument('--export', help='folder for embeddings and top items')
args = parse_args(parser)
start = time.perf_counter()
keep_freed_memory()

with processes(args.device) as (mesh, device), parallel(mesh, args.shard) as here:
    is_first = here.rank == 0
    if not is_first:  # The first one writes what the others read.
        dist.barrier()
    data = prepare(args)
    if is_first:
        dist.barrier()
    data = data.to(device)
    evaluators = {split: Evaluator.from_data(data, split) for split in ['val', 'test']}
    sampler: SubgraphSampler | TripletSampler
    if args.num_neighbors is None:
        sampler = TripletSampler.from_data(data, batch_size=args.batch_size)
        inputs = model_inputs(data)
    else:
        sampler = SubgraphSampler(data, args.num_neighbors, args.batch_size)
        inputs = sampler.inputs
    seed_everything(args.seed)  # The same in all: weights, batches and noise.
    whole = build_model(args, data).to(device)
    model, own_inputs = shard(whole, inputs)
    if is_first:
        print(data, sampler, *evaluators.values(), whole, sep='\n')
    del data, inputs, whole  # What this process holds is in the others.
    setup_seconds = time.perf_counter() - start

    history = fit(
        model,
        own_inputs,
        sampler,
        ShardedEvaluator(evaluators['val'], here),
        epochs=args.epochs,
        patience=args.patience,
        lr=args.lr,
        progress=args.progress and is_first,
        checkpoint=args.checkpoint,
        resume=args.resume,
    )
    test_start = time.perf_counter()
    with torch.no_grad():
        emb = model.embed(*own_inputs)
    test_metrics = ShardedEvaluator(evaluators['test'], here)(*emb)
    test_seconds = time.perf_counter() - test_start
    args.seed = torch.initial_seed()  # That of the checkpoint, if there was one.
    with redirect_stdout(None):
        data = prepare(args).to(device)
    if args.export is not None:
        recommender = own_recommender(emb[0], emb[1], data, here)
        recommender.save(osp.join(args.export, f'embeddings-{here.rank}.safetensors'))
        recommender.to_parquet(osp.join(args.export, f'top20-{here.rank}.parquet'))
    weights = unshard(model, rank=0)

if is_first:
    popularity = print_results(args, data, history, evaluators['test'], test_metrics)
    whole = build_model(args, data).to(device)
    whole.load_state_dict(weights)
    seconds = {
        'setup': setup_seconds,
        'eval': sum(history.eval_seconds) + test_seconds,
        'total': time.perf_counter() - start,
    }
    save_results(
        args,
        whole,
        data,
        history,
        seconds,
        test_metrics,
        popularity,
        processes={'number': here.size, 'shard': args.shard},
    )
