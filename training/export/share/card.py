"""Writes the model card of an exported model: base, licence, prompts, figures with intervals, and how to load it."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inference.engines.tokenizer import load_tokenizer
from shared.artifacts.card import read_embedder_card, read_reranker_card
from shared.artifacts.files import write_text
from shared.artifacts.json_files import read_json
from shared.prompts.pointwise import RerankerPrompt, pair_text
from shared.prompts.query import row_text
from shared.task.current import TASK
from shared.task.tables import POOLS
from training.export.share.folders import behind_query, prompt_of_query
from training.run_folder.base_models import MINILM, MODELS, SMOLLM2

HUB_NAMES = {MINILM: "sentence-transformers/all-MiniLM-L6-v2", SMOLLM2: "HuggingFaceTB/SmolLM2-135M-Instruct"}
SMALL_LICENCE = "apache-2.0"


@dataclass(frozen=True)
class Facts:
    """What a model card says that is not in the model's folder."""

    role: str
    base: str  # as in the settings
    iteration: str
    split: str
    repository: str  # how others name the model: OWNER/NAME on the hub, or the folder
    licence: str  # "" where nobody said it
    limits: tuple[str, ...]
    comparison: str


def write_model_card(facts: Facts, model: Path, out: Path) -> None:
    """Write `out`/README.md about the merged model in `model`."""
    if facts.role == "embedder":
        card = read_embedder_card(model)
        prompt, row = prompt_of_query(card, load_tokenizer(model)), row_text(TASK.row_form.shown, card.prompt.layout)
        query = row + behind_query(card.prompt)
        shown, prompts = prompt + query, {"query": prompt, "document": card.prompt.passage_prefix}
        score = ""
    else:
        asked, prompts = read_reranker_card(model).prompt, {}
        query, score = row_text(TASK.row_form.shown, asked.layout), _score_of(asked)
        shown = pair_text(asked, query, "...")
    text = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=False
    ).get_template("card.md")
    said = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
    said |= {"base": hub_name(facts.base), "name": facts.repository.rpartition("/")[2], "metric": TASK.metric.title}
    figures = figures_of(model.parent, facts.role)
    write_text(
        out / "README.md",
        text.render(**said, prompts=prompts, query=repr(query), shown=shown, score=score, figures=figures),
    )


def _score_of(prompt: RerankerPrompt) -> str:
    """What the score of a pair is."""
    if prompt.template == "pair":
        return "the logit of the model's one label"
    return f'the logit of "{prompt.yes}"' + (f', less that of "{prompt.no}"' if prompt.no else "")


def hub_name(base: str) -> str:
    """The name on the hub of a base model in the settings, without its revision."""
    name = base.partition("@")[0]
    if Path(name).parent != MODELS:
        return name
    return next((known for small, known in HUB_NAMES.items() if Path(name).name.startswith(small)), name)


def licence_of(base: str, folder: Path) -> str:
    """The licence that the base model's own card says, "" where it says none."""
    if Path(base).parent == MODELS and Path(base).name.startswith((MINILM, SMOLLM2)):
        return SMALL_LICENCE
    readme = folder / "README.md"
    head = readme.read_text(encoding="utf-8").split("---")[1] if readme.is_file() else ""
    said = [line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("license:")]
    return said[0] if said else ""


def figures_of(run: Path, role: str) -> list[tuple[str, ...]]:
    """(pool, ranking, all, seen, unseen) of a run's evaluation, each figure with its interval; [] without one."""
    path = run / "evaluate" / "metrics.json"
    if not path.is_file():
        return []
    metrics, rows = read_json(path), []
    names = {"retrieved": "retrieved", "reranked": "reranked"} if role == "reranker" else {"retrieved": "retrieved"}
    for pool in POOLS:
        for name in ("untrained", *names):
            parts = metrics.get(pool, {}).get(name, {})
            rows.append((pool, name, *(_interval(parts.get(part)) for part in ("all", "seen", "unseen"))))
    return rows


def _interval(figures: dict | None) -> str:
    if not figures:
        return "-"
    return f"{figures[TASK.metric.key]:.3f} ({figures['low']:.3f}-{figures['high']:.3f})"
