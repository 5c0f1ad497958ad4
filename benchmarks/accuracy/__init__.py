r"""What each model is worth: run with ``python -m benchmarks.accuracy --help``."""
