"""Exports the merged models of a run to other programs: writes their folders, compares what they say, uploads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from inference.machine.profiles import load_profile
from shared.artifacts.files import replacing_folder
from shared.artifacts.manifest import digest, write_manifest
from shared.artifacts.verified import check_folder
from shared.settings.load import read_settings
from shared.task.current import TASK
from shared.task.tables import DESCRIPTIONS
from shared.task.texts import with_descriptions
from training.export.share.card import Facts, licence_of, write_model_card
from training.export.share.compare import compare_embedder, compare_reranker
from training.export.share.folders import check_pairs, write_embedder_folder, write_reranker_folder
from training.export.share.hub import check_repository, push
from training.run_folder.base_models import local_folder

PROBES = 16  # queries, and misconceptions, that are compared
WRITE = {"embedder": write_embedder_folder, "reranker": write_reranker_folder}
COMPARE = {"embedder": compare_embedder, "reranker": compare_reranker}


@dataclass(frozen=True)
class Export:
    """What becomes of an exported model: where it is written, and whether and how it is uploaded."""

    to: Path
    hub: str = ""  # OWNER/NAME, to which -embedder and -reranker are added; "": nothing is uploaded
    licence: str = ""
    public: bool = False
    dry_run: bool = False


def export_models(run: Path, roles: Sequence[str], export: Export) -> int:
    """Export the merged models of `roles` in `run`; 0. Raises ValueError before anything is uploaded."""
    merged = run / "merge_reranker"
    if "reranker" in roles and merged.is_dir():
        check_pairs(merged)
    if export.hub:
        for role in roles:
            check_repository(f"{export.hub}-{role}")
            _licence(run, role, export)
    folders = [_export(run, role, export) for role in roles]
    for role, folder in zip(roles, folders, strict=True):
        repository = f"{export.hub}-{role}"
        if export.hub and not export.dry_run:
            print(f"{folder} is on the hub: {push(folder, repository, public=export.public)}", flush=True)
        elif export.hub:
            names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
            print(f"would be sent to {repository} ({'public' if export.public else 'private'}): {', '.join(names)}")
    return 0


def _export(run: Path, role: str, export: Export) -> Path:
    model, folder, settings = run / f"merge_{role}", export.to / role, read_settings(run)
    if not model.is_dir():
        raise ValueError(f"{model} does not exist: `just train` makes it")
    check_folder(model)
    queries, misconceptions = _probes(run, model)
    with replacing_folder(folder) as partial:
        limits = WRITE[role](model, partial)
        found = COMPARE[role](model, partial, queries, misconceptions, load_profile(settings.machine.profile))
        base, licence = getattr(settings, role).base, _licence(run, role, export)
        name = f"{export.hub}-{role}" if export.hub else str(folder)
        facts = Facts(role, base, run.parent.name, run.name, name, licence, tuple(limits), str(found))
        write_model_card(facts, model, partial)
        write_manifest(partial, {"stage": "export_model", "base": base.partition("@")[0], "merged": digest(model)})
    print(f"{folder}: {found}", flush=True)
    for sentence in limits:
        print(f"  {sentence}", flush=True)
    return folder


def _probes(run: Path, model: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    queries = TASK.tables.queries.read(run / "prepare")
    misconceptions = TASK.tables.misconceptions.read(run / "prepare")
    if DESCRIPTIONS.path(model).is_file():
        misconceptions = with_descriptions(misconceptions, DESCRIPTIONS.read(model))
    return queries.sort("fold", "query_id", descending=True)[:PROBES], misconceptions[:PROBES]


def _licence(run: Path, role: str, export: Export) -> str:
    base = getattr(read_settings(run), role).base
    said = export.licence or licence_of(base, local_folder(base))
    if export.hub and not said:
        raise ValueError(f"the card of {base} says no licence here: say licence=..., as in licence=apache-2.0")
    return said
