"""Runs the stages that nobody is given unasked: 4- or 8-bit models of a run's merged ones."""

from collections.abc import Sequence

from shared.settings.load import override_settings, read_settings, write_settings
from training.pipeline.run_stage import run_stage
from training.run_folder.freshness import input_digest
from training.run_folder.names import Target


def quantize(target: Target, roles: Sequence[str], changes: Sequence[str], only_check: bool = False) -> int:
    """Quantise the merged models of a run that is there; of its settings only `changes`, quantize.key=value, differ.

    With `only_check` nothing happens but what is refused: a run without settings or models, a change that is none.
    """
    settings = override_settings(read_settings(target.run), list(changes))
    for role in roles:
        input_digest(target.run / f"merge_{role}")
    if only_check:
        return 0
    write_settings(settings, target.run)
    for role in roles:
        run_stage(f"quantize_{role}", target.run)
    return 0
