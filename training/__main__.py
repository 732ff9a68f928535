"""Runs one command of training and ends with its status; `python -m training --help` lists the commands."""

import sys

from training.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
