"""Brings data from Kaggle, and models, code and kernels to it: python -m kaggle_kernels --help."""

import sys

from kaggle_kernels.api.retries import Clock
from kaggle_kernels.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Clock()))
