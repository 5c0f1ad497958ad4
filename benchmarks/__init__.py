r"""Benchmarks: run one with ``python -m benchmarks.<suite> --help``."""

import os

# Read when torch is imported: keeps the profiler, which measures peak memory,
# from logging every start and stop.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')
