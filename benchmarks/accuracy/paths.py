r"""Where results are kept: checked in, and not."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUTPUT = os.path.relpath(os.path.join(ROOT, 'results', 'accuracy'))
CACHE = os.path.join('benchmark-results', 'accuracy')
CSV_NAME = 'results.csv'
USERS = 'users'
