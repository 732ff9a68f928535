"""Runs the stages that nobody is given unasked: 4- or 8-bit models of a run's merged ones."""

from collections.abc import Sequence

from shared.settings.load import override_settings, read_settings, write_settings
from training.pipeline.run_stage import run_stage
from training.run_folder.names import Target


def quantize(target: Target, roles: Sequence[str], changes: Sequence[str]) -> int:
    """Quantise the merged models of a run that is there; of its settings only `changes`, quantize.key=value, differ."""
    write_settings(override_settings(read_settings(target.run), list(changes)), target.run)
    for role in roles:
        run_stage(f"quantize_{role}", target.run)
    return 0
