"""Links the output of a stage that stands in another run of the same iteration, by its fingerprint, into a run.

The files are hard links, so they take no room and no time; the manifest is the run's own. Who deletes one of the runs
takes nothing from the other, since no file of an output is ever written to again.
"""

import os
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from shared.artifacts.files import replace_folder
from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.locks import locked
from shared.artifacts.manifest import read_manifest, write_manifest
from shared.artifacts.verified import TICK_NS, check_folder, note_as_listed
from shared.settings.sections import Settings
from training.run_folder.freshness import Recipe, reasons_to_run
from training.run_folder.names import BESIDE


def siblings(run: Path) -> list[Path]:
    """The other runs of the same iteration and split, the plain one first."""
    plain = run.parent.name.partition(BESIDE)[0]
    folders = [run.parents[1] / plain, *sorted(run.parents[1].glob(f"{plain}{BESIDE}*"))]
    return [folder / run.name for folder in folders if folder != run.parent and (folder / run.name).is_dir()]


def shared_source(out: Path, recipe: Recipe) -> Path | None:
    """The output of `recipe` that another run of the iteration has; None where none has it, or an input is not made."""
    if not recipe.is_known:
        return None
    return next((run / out.name for run in siblings(out.parent) if _is_made_by(run / out.name, recipe)), None)


def share(run: Path, settings: Settings, recipe: Recipe) -> Path | None:
    """Link into `run`, which has these settings, what another run has of `recipe`; None where it is not to be had now.

    Raises ValueError where its files are not what they were when it was made.
    """
    out = run / recipe.stage
    source = shared_source(out, recipe)
    if source is None:
        return None
    with ExitStack() as held:
        try:  # one of them may go, or be made anew, at this very moment
            for folder in (out, source):
                held.enter_context(locked(folder.with_name(f".{folder.name}.lock"), "another process works there"))
        except ValueError:
            return None
        if not reasons_to_run(out, recipe) or not _is_made_by(source, recipe):
            return None
        check_folder(source)
        _link(source, out, settings, recipe)
    return source


def _is_made_by(source: Path, recipe: Recipe) -> bool:
    try:
        return read_lineage(source, "fingerprint").fingerprint == recipe.fingerprint
    except ValueError:  # not whole, or damaged
        return False


def _link(source: Path, out: Path, settings: Settings, recipe: Recipe) -> None:
    work, listed = out.with_name(f".{out.name}.partial"), read_manifest(source)["files"]
    shutil.rmtree(work, ignore_errors=True)
    for name in listed:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
    linked = [_link_file(source / name, work / name) for name in listed]
    said = read_lineage(source).record()
    own = {"iteration": out.parent.parent.name, "inputs": recipe.inputs, "shared_with": str(source)}
    if "all_settings" in said:  # of which the depth of the evaluation travels with a model
        own["all_settings"] = settings.model_dump(mode="json")
    write_manifest(work, Lineage.model_validate({**said, **own}).record(), known=listed)
    replace_folder(work, out)
    shutil.rmtree(out.with_name(f".{out.name}.state"), ignore_errors=True)
    time.sleep(2 * TICK_NS / 1e9)  # a link changes the time of its file, which is noted once it is past
    for folder in (out, source) if all(linked) else ():  # a copy is hashed when it is read
        note_as_listed(folder)


def _link_file(source: Path, target: Path) -> bool:
    """Whether it is a link: another disk, or a file system without links, gets a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
        return False
    return True
