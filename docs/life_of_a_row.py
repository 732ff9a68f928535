"""Writes docs/life-of-a-row.md: one generated question on its way, with every prompt as the models read it.

python -m docs.life_of_a_row
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from shared.prompts.embedder import EmbedderPrompt, embedder_passage, embedder_query
from shared.prompts.pointwise import RerankerPrompt, reranker_passage, reranker_query
from shared.prompts.query import Written, query_of
from shared.prompts.words import Words
from shared.settings.load import load_settings
from shared.task import tables
from shared.task.current import TASK
from shared.task.task import Competition
from training.synthesis.malrules.generate import write_competition
from training.trainer.batches import draw_examples

FOLDER = Path(__file__).parent
PAGE, TEMPLATE = FOLDER / "life-of-a-row.md", FOLDER / "life-of-a-row.template.md"
QUERY_ID = "0_D"  # The first generated question, and the wrong option that carries a label.
VOCABULARY: list[str] = []  # Grows with every text; an id is a place in it.


def render_page() -> str:
    """The page: the template with prompts, table columns and settings in place of its {names}."""
    page = TEMPLATE.read_text(encoding="utf-8")
    for name, value in {**_prompts(), **_columns()}.items():
        page = page.replace(f"{{{name}}}", value)
    return page


def _prompts() -> dict[str, str]:
    with TemporaryDirectory() as folder:
        write_competition(Path(folder, "demo"))
        data = TASK.read(Path(folder, "demo"))
    row = data.train.row(by_predicate=pl.col("query_id") == QUERY_ID, named=True)
    right = dict(data.misconceptions.iter_rows())[row["misconception_id"]]
    fields = "\n".join(f"| `{name}` | {value} |" for name, value in row.items() if name != "fold")
    named = {"fields": fields, "query_id": QUERY_ID, "right": right}
    return {**named, **_embedder(data, row, right), **_reranker(row, right)}


def _embedder(data: Competition, row: dict, right: str) -> dict[str, str]:
    section, words = load_settings("iter1").embedder, spaced_words()
    prompt = EmbedderPrompt(
        section.task,
        section.query_tokens,
        section.passage_tokens,
        section.example_query_tokens,
        section.example_passage_tokens,
        section.end_token,
    )
    examples = draw_examples(data.train.with_columns(fold=pl.lit("train")), data.misconceptions, section.seed)
    shown = [example for question, answer, example in examples if question != row["question_id"]][:1]
    asked = embedder_query(words, prompt, shown, query_of(row))
    known = embedder_passage(words, prompt, Written(right))
    return {"embedder_query": read(asked), "embedder_passage": read(known)}


def _reranker(row: dict, right: str) -> dict[str, str]:
    section, words, prompts = load_settings("iter1").reranker, spaced_words(), {}
    for place in ("last", "first"):
        prompt = RerankerPrompt(section.query_tokens, section.passage_tokens, section.instruction, place)
        before = reranker_query(words, prompt, query_of(row))
        behind = reranker_passage(words, prompt, Written(right))
        prompts[f"reranker_{place}"] = read([*before, *behind])
    return prompts


def _columns() -> dict[str, str]:
    shown = {"QUERIES", "MISCONCEPTIONS", "CANDIDATES", "GROUPS", "TAUGHT", "RANKED", "RANKS"}
    named = {name: getattr(tables, name) for name in sorted(shown)}
    return {f"columns_{name.lower()}": ", ".join(f"`{key}`" for key in table.schema) for name, table in named.items()}


def spaced_words() -> Words:
    """A tokenizer whose tokens are words with the white space in front of them, so that ids can be read again."""
    return Words(_ids, _ids, head=(), tail=(), end=tuple(_ids("<end>")))


def read(ids: list[int]) -> str:
    """The text that `spaced_words` made ids of."""
    return "".join(VOCABULARY[id_] for id_ in ids)


def _ids(text: str) -> list[int]:
    pieces = re.findall(r"\s*\S+|\s+$", text)
    VOCABULARY.extend(piece for piece in dict.fromkeys(pieces) if piece not in VOCABULARY)
    return [VOCABULARY.index(piece) for piece in pieces]


def write_page(path: Path = PAGE) -> None:
    """Write the page to `path`."""
    path.write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    write_page()
