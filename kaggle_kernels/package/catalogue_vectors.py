"""Makes the misconceptions' vectors that travel with an embedder, once, beside the run that the embedder came from."""

from collections.abc import Callable
from pathlib import Path

from inference.machine.profiles import Profile, load_profile
from inference.retrieval.catalogue_vectors import VECTORS_FILE, misfit, write_vectors
from shared.settings.load import read_settings
from shared.task.current import TASK

SKIP = "skip"


def catalogue_vectors(
    run: Path, embedder: Path, how: str, dry: bool, say: Callable, check: Callable
) -> dict[str, Path]:
    """{name in the dataset: file} of the vectors of `run`'s misconceptions by `embedder`; {} where they do not travel.

    `how`: "skip", a profile of this machine, or "" for the one that the run was trained with. Encodes where the vectors
    are not there yet, unless `dry`, once `check`() found nothing against the push. Raises ValueError when this machine
    does not have what the profile asks for.
    """
    if how == SKIP:
        say(f"{embedder} goes without its misconceptions' vectors, as you said: the kernel will encode them")
        return {}
    misconceptions = TASK.tables.misconceptions.read(run / "prepare")
    path = run / f"{embedder.name}_vectors" / VECTORS_FILE
    if not misfit(misconceptions, embedder, path):
        return {VECTORS_FILE: path}
    settings = read_settings(run)
    name = how or settings.machine.profile
    profile, what = load_profile(name), f"{len(misconceptions):,} misconceptions with {embedder} (profile {name})"
    if dry:
        say(f"would first encode {what}; their vectors would be one more file of what follows")
        return {}
    _check_device(name, profile)
    check()  # vectors of a damaged model would look like its own
    say(f"encoding {what}")
    write_vectors(misconceptions, embedder, path, engine=settings.evaluate.engine, profile=profile)
    return {VECTORS_FILE: path}


def _check_device(name: str, profile: Profile) -> None:
    import torch

    if profile.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"profile {name} needs a GPU, to encode the misconceptions, and there is none here: vectors=cpu names"
            " another profile, vectors=skip lets the kernel encode them"
        )
