"""Says which queries are too long for a model, and which of them it can then no longer tell apart."""

from collections import defaultdict
from pathlib import Path

import polars as pl

from shared.prompts.kinds import ROLES
from shared.prompts.query import Written, query_of
from shared.prompts.words import THINKING, Words
from shared.settings.sections import Settings


def report_cuts(settings: Settings, queries: pl.DataFrame) -> list[str]:
    """A sentence for every model whose base lies here and that cuts some of the `queries`."""
    models = {name: getattr(settings, name) for name in ("miner", *ROLES)}
    here = {name: model for name, model in models.items() if model is not None and Path(model.base).is_dir()}
    if not here:
        return []
    from inference.engines.tokenizer import embedder_words, load_tokenizer

    asked = [query_of(row) for row in queries.iter_rows(named=True)]
    said = []
    for name, model in here.items():
        cut, alike = count_cuts(embedder_words(load_tokenizer(model.base)), asked, model.query_tokens)
        if cut:
            what = f"{cut} of {len(asked)} queries are longer than {name}.query_tokens={model.query_tokens}"
            same = f"; {alike} of them read like another one then" if alike else ""
            said.append(f"{what}: the end of their question is cut, never an answer{same}")
    return said


def count_cuts(words: Words, asked: list[Written], tokens: int) -> tuple[int, int]:
    """How many of the queries are cut to `tokens`, and how many of these read like one of another text."""
    texts, cut = defaultdict(set), []
    for query in asked:
        ids = tuple(words.cut(query, tokens, THINKING, 0))
        texts[ids].add(query.text)
        if len(words.encode(query.text)) > tokens:
            cut.append(ids)
    return len(cut), sum(len(texts[ids]) > 1 for ids in cut)
