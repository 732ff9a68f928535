"""Lays out the folder that is sent for a dataset: by hard links, from an allow-list, searched for credentials first.

The folder is stable (.cache/kaggle/<slug>/files), so that an upload can be gone on with. Sub-folders travel as folders.
"""

import contextlib
import errno
import json
import os
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from kaggle_kernels.package.dataset_metadata import (
    META,
    DatasetMetadata,
    check_metadata,
    licence_of,
    read_dataset_metadata,
)
from kaggle_kernels.package.secret_scan import refuse_credentials
from shared.artifacts import manifest
from shared.task.tables import DESCRIPTIONS

CACHE = Path(".cache/kaggle")  # git-ignored; what is under way with a push stands there too
MODEL = (  # names, in whatever folder; what is not here does not travel
    "*.safetensors *.safetensors.index.json config.json generation_config.json quantization_config.json"
    " quantize_config.json tokenizer.json tokenizer_config.json tokenizer.model special_tokens_map.json"
    " added_tokens.json vocab.json vocab.txt merges.txt spiece.model sentencepiece.bpe.model chat_template.jinja"
    " chat_template.json modules.json sentence_bert_config.json config_sentence_transformers.json data_config.json"
    " recipe.yaml card.json descriptions.parquet metrics.json README.md LICENSE LICENSE.* NOTICE NOTICE.*"
    " adapter_config.json .gitattributes manifest.json"
)
CODE = {"shared": "*.py *.toml", "inference": "*.py *.toml"}  # folder: names that the kernel needs of it


@dataclass(frozen=True)
class StagedFolder:
    slug: str
    label: str  # of the version, for people
    folder: Path
    metadata: DatasetMetadata  # with everything filled in, and the card as its description
    files: dict[str, dict]  # {path in the folder: {sha256, bytes}}, manifest.json among them
    digest: str


def trained_model(role: str, run: Path, quantized: bool) -> Path:
    """The folder of `run` to send: the merged model, or what quantize_ROLE made of that very model, or ValueError."""
    merged, small = run / f"merge_{role}", run / f"quantize_{role}"
    for folder in (merged, small) if quantized else (merged,):
        if not (folder / manifest.MANIFEST).is_file():
            iteration = run.parent.name.removeprefix("iter")
            raise ValueError(f"{folder} is not there, or not complete: just train iter={iteration} split={run.name}")
    if not quantized:
        return merged
    inputs = manifest.read_manifest(small)["lineage"].get("inputs", {})
    named = [digest for path, digest in inputs.items() if Path(path).name == merged.name]
    if named != [manifest.digest(merged)]:
        raise ValueError(
            f"{small} was made from {named[0][:12] if named else 'nobody knows what'}, and {merged} is"
            f" {manifest.digest(merged)[:12]}: quantize that model again, or push without quantized"
        )
    return small


def stage_model(role: str, source: Path, tag: str, public: bool, extra: dict[str, Path]) -> StagedFolder:
    """The model in `source`, and beside it `extra` ({name: file}), which its manifest then lists too.

    Raises ValueError naming what is missing, not allowed, or a secret.
    """
    paths = [path for path in sorted(source.rglob("*")) if not path.is_dir() and path.name != manifest.VERIFIED]
    files = {path.relative_to(source).as_posix(): path for path in paths}
    for path in files.values():
        if not _is_listed(path, MODEL):
            raise ValueError(
                f"{path} is not of the files that a model consists of (package/stage_folder.py): remove it"
            )
    if "card.json" not in files:
        raise ValueError(f"{source} holds no card.json, and nobody could prompt it: make the folder again")
    if public:
        _refuse_in_public(role, source)
    refuse_credentials(files | extra)
    manifest.verify_manifest(source)
    slug, folder = _place(role, tag)
    if extra:
        del files[manifest.MANIFEST]
    _lay_out(files | extra, folder, link=True)
    if extra:
        table = manifest.read_manifest(source)
        manifest.write_manifest(folder, table["lineage"], known=table["files"])
    return _staged(role, slug, tag, folder)


def stage_files(
    role: str, tag: str, files: dict[str, Path], lineage: dict | None = None, known: dict[str, dict] | None = None
) -> StagedFolder:
    """`files` ({name: path}), whose manifest is among them or, with a `lineage`, is written here.

    `known`: the manifest's entries of files that were hashed a moment ago.
    Raises ValueError for a secret, and for a link.
    """
    refuse_credentials(files)
    slug, folder = _place(role, tag)
    _lay_out(files, folder, link=True)
    if lineage is not None:
        manifest.write_manifest(folder, lineage, known=known)
    return _staged(role, slug, tag, folder)


def refuse_without_licence(role: str) -> None:
    """Raise ValueError where the role's metadata do not say under which licence everybody may have its weights."""
    if licence_of(read_dataset_metadata(role, "")) in ("other", "unknown"):
        path = META / role / "dataset-metadata.json"
        raise ValueError(f"{path} must name the licence of the base model before its weights become public")


def stage_code() -> StagedFolder:
    """What the kernel imports: shared/ and inference/, as they are in this checkout."""
    files = {
        path.as_posix(): path for top in CODE for path in sorted(Path(top).rglob("*")) if _is_listed(path, CODE[top])
    }
    refuse_credentials(files)
    slug, folder = _place("code", "")
    _lay_out(files, folder, link=False)  # an editor may write into a file in place
    manifest.write_manifest(folder, {"stage": "code"})
    return _staged("code", slug, "", folder)


def _is_listed(path: Path, patterns: str) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in patterns.split()) and not path.is_dir()


def _refuse_in_public(role: str, source: Path) -> None:
    card = json.loads((source / "card.json").read_text(encoding="utf-8"))
    quoting = ["card.json"] * bool(card.get("examples"))
    quoting += [path.name for path in [DESCRIPTIONS.path(source)] if path.is_file()]
    if quoting:
        raise ValueError(
            f"{source}/{quoting[0]} quotes items of the competition, whose rules forbid that: push without --public"
        )
    refuse_without_licence(role)


def _place(role: str, tag: str) -> tuple[str, Path]:
    slug = read_dataset_metadata(role, tag).slug
    return slug, CACHE / slug / "files"


def _lay_out(files: dict[str, Path], folder: Path, link: bool) -> None:
    """Make `folder` hold exactly `files` ({name: source}) with their mtimes; what is there already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):  # a folder after what is in it
        if path.is_dir():
            with contextlib.suppress(OSError):  # of use
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, source in files.items():
        target = folder / name
        if source.is_symlink() or not source.is_file():
            raise ValueError(f"{source} is no plain file: put the file itself there")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and target.samefile(source)):
            target.unlink(missing_ok=True)
            _bring(source, target, link)


def _bring(source: Path, target: Path, link: bool) -> None:
    try:
        if link:
            os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):  # another disk, or one without hard links
            raise
    if not target.exists():
        shutil.copy2(source, target)


def _staged(role: str, slug: str, tag: str, folder: Path) -> StagedFolder:
    refuse_credentials({path.name: path for path in (META / role).iterdir()})  # they travel as the dataset's card
    table = manifest.read_manifest(folder)
    own = {manifest.MANIFEST: manifest.file_facts(folder / manifest.MANIFEST)}
    files = dict(sorted({**table["files"], **own}.items()))
    metadata = read_dataset_metadata(role, tag)
    card = (META / role / "README.md").read_text(encoding="utf-8")
    facts = {key: value for key, value in table["lineage"].items() if not isinstance(value, dict | list)}
    lineage = "\n".join(f"| {key} | {json.dumps(value, ensure_ascii=False)} |" for key, value in facts.items())
    values = {"tag": tag, "licence": licence_of(metadata), "digest": manifest.digest(folder), "lineage": lineage}
    for name, value in values.items():
        card = card.replace("{" + name + "}", value)
    metadata = metadata.model_copy(update={"description": card})
    check_metadata(metadata, slug, {name: facts["bytes"] for name, facts in files.items()})
    return StagedFolder(slug, f"{role} {tag}".strip(), folder, metadata, files, values["digest"])
