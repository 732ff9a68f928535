"""Turns an iteration's params.toml and the command line's overrides into one frozen Settings, or says what is wrong."""

import json
import tomllib
from pathlib import Path

from pydantic import ValidationError

from shared.artifacts.files import write_text
from shared.prompts.kinds import ROLES
from shared.settings.checks.kinds import check_kinds
from shared.settings.checks.merging import check_merging
from shared.settings.checks.teaching import check_teaching
from shared.settings.keys import nearest_key
from shared.settings.sections import Settings
from shared.settings.texts import WRITING_ENGINES

ITERATIONS = Path("training/iterations")
RUNS = Path("runs")
SHOWN = 200  # characters of what was typed that a message repeats


def load_settings(iteration: str, overrides: list[str] = ()) -> Settings:
    """Settings of `iteration`: defaults, its params.toml, then `section.key=value`. ValueError names the bad key."""
    path = ITERATIONS / iteration / "params.toml"
    if not path.is_file():
        known = ", ".join(sorted(folder.parent.name for folder in ITERATIONS.glob("*/params.toml")))
        raise ValueError(f"there is no iteration {iteration!r}; there are: {known}")
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or brackets without an end
        raise ValueError(f"{path}: {error}") from None
    _fill_up(sections, path)
    for override in overrides:
        _override(sections, override)
    return _checked(sections, f"{path} and the command line" if overrides else str(path))


def task_name(iteration: str) -> str:
    """The task of `iteration`, as its params.toml says; of one that cannot be read, the usual one."""
    try:
        said = tomllib.loads((ITERATIONS / iteration / "params.toml").read_text(encoding="utf-8")).get("task")
    except (OSError, ValueError, RecursionError):
        said = None
    return said if isinstance(said, str) else Settings.model_fields["task"].default


def read_settings(run: Path) -> Settings:
    """The settings a run folder was started with. Raises ValueError where there are none."""
    path = run / "settings.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: python -m training settings iter={run.parent.name} split={run.name}")
    try:
        sections = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise ValueError(f"{path} is damaged ({error}): `just train` writes it anew") from None
    return _checked(sections, str(path))


def override_settings(settings: Settings, overrides: list[str]) -> Settings:
    """`settings` with `section.key=value` in place of their own. Raises ValueError naming the bad key."""
    sections = json.loads(settings.model_dump_json())
    for override in overrides:
        _override(sections, override)
    return _checked(sections, "the command line")


def write_settings(settings: Settings, run: Path) -> None:
    """Write the resolved settings as `run`/settings.json, unless that file says the same already."""
    text = settings.model_dump_json(indent=1) + "\n"
    path = run / "settings.json"
    if path.is_file() and path.read_bytes() == text.encode():
        return
    run.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _fill_up(sections: dict, path: Path) -> None:
    """Give `sections` the defaults of their task, where they say nothing themselves. ValueError where there is none."""
    name = sections.get("task")
    if not isinstance(name, str):
        return
    from shared.task.current import find_task  # imports polars

    try:
        defaults = find_task(name).defaults
    except ValueError as error:
        raise ValueError(f"{path}: task: {error}") from None
    for section, values in defaults.items():
        own = sections.setdefault(section, {})
        if isinstance(own, dict):
            sections[section] = {**values, **own}


def _override(sections: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    names = key.split(".")
    if not equals or len(names) < 2:
        raise ValueError(f"{_short(override)!r} is no section.key=value, as in train_embedder.rate=2e-4")
    for name in names[:-1]:
        sections = sections.setdefault(name, {})
        if not isinstance(sections, dict):
            raise ValueError(f"{_short(override)!r}: {_short(name)} is a value, not a section")
    try:
        sections[names[-1]] = tomllib.loads(f"value = {text}")["value"]
    except RecursionError:
        raise ValueError(f"{_short(key)}: brackets in brackets without an end") from None
    except (tomllib.TOMLDecodeError, KeyError):
        sections[names[-1]] = text  # a bare word: prepare.competition=data/eedi


def _short(text: str) -> str:
    """Its first characters: a message is one sentence whatever was typed."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _checked(sections: dict, source: str) -> Settings:
    try:
        text = json.dumps(sections, default=lambda value: {"": str(value)})  # a TOML date, which no setting takes
        settings = Settings.model_validate_json(text)
    except ValidationError as errors:
        error = errors.errors()[0]
        key = ".".join(str(part) for part in error["loc"])
        text = f"{source}: {_short(key)}: {_short(error['msg'])}, got {_short(str(error['input']))!r}"
        near = nearest_key(key, error["input"]) if error["type"] == "extra_forbidden" else ""
        raise ValueError(f"{text}; did you mean {near}?" if near else text) from None
    _cross_check(settings, source)
    return settings


def _cross_check(settings: Settings, source: str) -> None:
    if bool(settings.iteration.previous) == (settings.miner is not None):
        raise ValueError(
            f"{source}: give either iteration.previous or a [miner], the model that mines when there is no previous"
        )
    for name in ROLES:
        train, mine = getattr(settings, f"train_{name}"), getattr(settings, f"mine_for_{name}")
        if mine.lowest >= mine.highest:
            raise ValueError(f"{source}: mine_for_{name}.lowest: {mine.lowest} is not below highest, {mine.highest}")
        if train.group - 1 > mine.count:
            raise ValueError(
                f"{source}: train_{name}.group: {train.group} needs {train.group - 1} negatives; "
                f"mine_for_{name}.count is {mine.count}"
            )
        if train.siblings and not mine.siblings:
            raise ValueError(f"{source}: train_{name}.siblings: {train.siblings} needs mine_for_{name}.siblings=true")
        if train.distill and not settings.is_taught(name):
            raise ValueError(
                f"{source}: train_{name}.distill: {train.distill} needs a teacher, and iteration.previous is empty"
            )
    check_kinds(settings, source)
    check_merging(settings, source)
    check_teaching(settings, source)
    _check_writer(settings, source)
    _check_rationale_loss(settings, source)
    _check_texts(settings, source)
    depth, kept = settings.train_reranker.depth, settings.mine_for_reranker.kept
    if depth > kept:
        raise ValueError(f"{source}: train_reranker.depth: {depth} is more than mine_for_reranker.kept, {kept}")
    depth, pool = settings.evaluate.depth, settings.evaluate.pool
    if depth > pool:
        raise ValueError(f"{source}: evaluate.depth: {depth} is more than evaluate.pool, {pool}")


def _check_writer(settings: Settings, source: str) -> None:
    """Raise ValueError for a text that nobody is there to write, and for a student that writes nothing."""
    for name in ("explain", "describe"):
        if (engine := getattr(settings, name).writer) in WRITING_ENGINES and settings.writer is None:
            raise ValueError(f"{source}: {name}.writer: {engine} runs the model of [writer], and there is none")
    if settings.train_writer.file and settings.explain.writer not in WRITING_ENGINES:
        raise ValueError(
            f"{source}: train_writer.file: {settings.train_writer.file} is what a student learns from, and "
            f"explain.writer is {settings.explain.writer}: say vllm or hf there, with a [writer]"
        )
    explain = settings.explain
    if bool(explain.shots) != bool(explain.shots_file):
        raise ValueError(
            f"{source}: explain.shots: {explain.shots} and explain.shots_file {explain.shots_file!r}: say both or none"
        )
    if explain.shots and (explain.writer not in WRITING_ENGINES or settings.train_writer.file):
        raise ValueError(
            f"{source}: explain.shots: {explain.shots} are shown to a model that writes as it is: say vllm or hf for "
            "explain.writer, and no train_writer.file"
        )


def _check_rationale_loss(settings: Settings, source: str) -> None:
    train = settings.train_reranker
    if not train.rationale_loss:
        return
    if not train.rationale_file and settings.explain.writer == "off":
        raise ValueError(
            f"{source}: train_reranker.rationale_loss: {train.rationale_loss} needs rationales: name a "
            "train_reranker.rationale_file, or an explain.writer"
        )
    if not train.rationale_file and settings.reranker.rationale != "none":
        raise ValueError(
            f"{source}: train_reranker.rationale_loss: a reranker that reads the rationales of explain would copy "
            "them: say reranker.rationale=none reranker.rationale_tokens=0, or name a train_reranker.rationale_file"
        )


def _check_texts(settings: Settings, source: str) -> None:
    """Raise ValueError for a model that is to read texts which nobody writes, or for which it has no room."""
    explain, written = settings.explain, settings.explain.writer != "off"
    for name in ("miner", *ROLES):
        if (model := getattr(settings, name)) is None or (model.rationale == "none" and not model.description_tokens):
            continue
        if model.rationale != "none" and not (written and explain.kinds in (model.rationale, "both")):
            raise ValueError(
                f"{source}: {name}.rationale: {model.rationale} needs explain.writer, which writes that kind"
            )
        if (model.rationale == "none") != (model.rationale_tokens == 0):
            raise ValueError(
                f"{source}: {name}.rationale_tokens: {model.rationale_tokens} for rationale {model.rationale}: "
                "a rationale needs room, and none needs none"
            )
        if model.description_tokens and settings.describe.writer == "off":
            raise ValueError(f"{source}: {name}.description_tokens: {model.description_tokens} needs describe.writer")
