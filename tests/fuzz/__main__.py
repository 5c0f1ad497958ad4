r"""Feeds damaged files to the readers of the package: ``python -m tests.fuzz``.

Each needs to end in success, or in an error that names the file, within bounded
memory and time. The inputs of a seed are always the same: ``--first`` starts at one
of them.
"""

import argparse
import collections
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import Target, make_targets

MEMORY = 2 * 2**30  # Beyond what is mapped at the start.
GROWTH = 256 * 2**20  # Of what is in use, by one input.
SECONDS = 20


class TooSlowError(BaseException):
    pass


def stop(*_: Any) -> None:
    raise TooSlowError(f'it took more than {SECONDS} seconds')


def in_use() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def outcome(target: Target, content: bytes) -> str:
    r"""What became of an input; what should not have begins with 'wrong'."""
    before = in_use()
    signal.alarm(SECONDS)
    try:
        target.run(content)
    except (OSError, ValueError) as error:
        kind = 'OSError' if isinstance(error, OSError) else 'ValueError'
        names = [name for name in (target.path.name, target.named) if name]
        if not any(name in str(error) for name in names):
            return f'wrong: {type(error).__name__} without the file: {error}'
    except (Exception, TooSlowError) as error:
        return f'wrong: {type(error).__name__}: {error}'
    else:
        kind = 'success'
    finally:
        signal.alarm(0)
    growth = in_use() - before
    return f'wrong: {growth >> 20} MiB more memory' if growth > GROWTH else kind


def limit_memory() -> None:
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    mapped = pages * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, hard))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--inputs', type=int, default=100_000)
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--kinds', nargs='*', help='kinds of files, all by default')
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    signal.signal(signal.SIGALRM, stop)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        targets = make_targets(Path(folder))
        for target in targets:
            text = outcome(target, target.content)
            assert text == 'success', f'{target.name}: {text}'
        limit_memory()
        with suppress(KeyboardInterrupt):  # Which still reports what was done.
            for i in range(args.first, args.first + args.inputs):
                target = targets[i % len(targets)]
                if args.kinds and target.name not in args.kinds:
                    continue
                rng = random.Random(f'{args.seed}/{i}')
                text = outcome(target, mutate(rng, target.content))
                counts[target.name, text.split(':')[0]] += 1
                if text.startswith('wrong'):
                    print(
                        f'input {i} of seed {args.seed}, {target.name}: {text:.500}',
                        flush=True,
                    )
    for (name, kind), count in sorted(counts.items()):
        print(f'{name:18} {kind:10} {count}')
    seconds = time.perf_counter() - begin
    print(f'{sum(counts.values())} inputs in {seconds:.0f} seconds')
    return int(any(kind == 'wrong' for _, kind in counts))


if __name__ == '__main__':
    sys.exit(main())
