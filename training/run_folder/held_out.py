"""Says what a split of the current task holds out."""

from shared.task.current import TASK
from shared.task.splits import DRAWS


def holds_out_misconceptions(split: str) -> bool:
    """Whether whole misconceptions are held out, with every question that carries one, and not questions alone."""
    return split in DRAWS and TASK.holds_out == "misconceptions"
