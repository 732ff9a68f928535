"""Brings data from Kaggle, and models, code and kernels to it.

python -m kaggle_kernels VERB key=value ... [--dry-run] [--public] [--again]
Every verb can be run again after whatever stopped it, does nothing twice, and exits with 1 and a sentence if it cannot.
"""

import sys

from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.cli import read_order
from kaggle_kernels.commands import carry_out


def main(arguments: list[str], clock: Clock) -> int:
    """Carry out one command line; its exit status."""
    try:
        carry_out(read_order(arguments), clock, say=lambda text: print(text, flush=True))
        return 0
    except (ValueError, Refused, Lost) as error:
        print(f"{arguments[0] if arguments else 'publish'}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = error.filename2 or error.filename or "this machine"  # of a copy: where to
        print(f"{arguments[0]}: {place}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Clock()))
