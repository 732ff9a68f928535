"""Runs one command of inference and ends with its status; `python -m inference --help` lists the commands."""

import os
import sys

from inference.cli import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    if "--deadline" in sys.argv:  # all is written: nobody waits for an engine that hangs while it goes
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)
