"""Is torchrun without its tracebacks: what went wrong is said by the process in which it did, in a sentence.

`python -m training.launch.agent ARGUMENTS`, with the arguments of torchrun.
"""

import logging
import sys


def main(arguments: list[str]) -> int:
    """Run torchrun; the exit status, 128 + N where signal N ended it."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    logging.disable(logging.CRITICAL)  # of this process alone
    try:
        torchrun(arguments)
    except SignalException as end:
        return 128 + int(end.sigval)
    except KeyboardInterrupt:
        return 130
    except ChildFailedError as failed:
        return max(failure.exitcode for failure in failed.failures.values()) or 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
