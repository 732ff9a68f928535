"""A reranker trained by us, and one by FlagEmbedding's trainer, on the same groups; each orders the same candidates."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from peft import PeftModel

from benchmarks.peers.trainers import FLAG_LENGTHS, read_shown, train_flagembedding_reranker
from inference.engines.answers import Strict
from inference.engines.protocols import Scorer
from inference.engines.tokenizer import answer_of, load_tokenizer, reranker_words
from inference.engines.transformers.engine import HFScorer, device_of, load_causal
from inference.machine.profiles import load_profile
from inference.reranking.kinds import KINDS
from inference.reranking.order import rerank
from inference.reranking.protocols import Reranker, Scores
from shared.prompts.query import row_text
from shared.settings.sections import TrainReranker
from shared.task.folds import labelled_queries
from shared.task.tables import CANDIDATES, GROUPS, PAIR
from training.run_folder.base_models import local_folder
from training.run_folder.cards import new_reranker_card
from training.run_folder.stage_context import StageContext
from training.trainer.train import train_reranker

Ids = Callable[[str], list[int]]  # of a text


@dataclass(frozen=True)
class FlagReranker:
    """A Reranker that reads a pair as FlagEmbedding's trainer puts it together."""

    scorer: Scorer
    asked: Ids
    known: Ids

    def score(self, queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame) -> Scores:
        """See Reranker. Tokens are not counted."""
        prefixes = {row["query_id"]: self.asked(row_text(row)) for row in queries.iter_rows(named=True)}
        suffixes = {id_: self.known(text) for id_, text in misconceptions.iter_rows()}
        rows = [[*prefixes[query], *suffixes[id_]] for query, id_ in candidates.select(PAIR).iter_rows()]
        return Scores(pl.Series("rerank_score", self.scorer.score(rows)), 0, 0)


def ours(context: StageContext, blind: StageContext, seed: int) -> tuple[pl.DataFrame, float]:
    """Ranked candidates of the validation fold, and the seconds of training; `blind` sees the training fold alone."""
    settings, section = _seeded(context, seed), context.settings.reranker
    groups = context.read(GROUPS, "mine_for_reranker")
    candidates = context.read(CANDIDATES, "mine_for_reranker")
    seeded = context.settings.model_copy(update={"train_reranker": settings})
    blind.out.mkdir(parents=True)
    start = time.perf_counter()
    train_reranker(StageContext(seeded, blind.run, blind.out, ""), groups, candidates)
    seconds = time.perf_counter() - start
    card, words = new_reranker_card(section), reranker_words(load_tokenizer(local_folder(section.base)))

    def opened(scorer: Scorer) -> Reranker:
        return KINDS[card.kind].open(scorer, words, card.prompt)

    return _rank(context, blind.out / f"epoch_{settings.epochs}", opened), seconds


def flagembedding(context: StageContext, blind: StageContext, seed: int) -> tuple[pl.DataFrame, float]:
    """The same by its trainer, its model read at the very ids that it was trained on."""
    settings, base = _seeded(context, seed), local_folder(context.settings.reranker.base)
    instruction = context.settings.reranker.instruction
    start = time.perf_counter()
    train_flagembedding_reranker(base, read_shown(context, "mine_for_reranker"), instruction, settings, seed, blind.out)
    seconds = time.perf_counter() - start
    tokenizer = load_tokenizer(base)
    head = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]

    def encode(text: str, most: int | None = None) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False)[:most]

    def asked(text: str) -> list[int]:
        return [*head, *encode("A: " + text, FLAG_LENGTHS["query_max_len"])]

    def known(text: str) -> list[int]:
        passage = encode("B: " + text, FLAG_LENGTHS["passage_max_len"])
        return [*encode("\n"), *passage, *encode("\n"), *encode(instruction)]

    return _rank(context, blind.out, lambda scorer: FlagReranker(scorer, asked, known)), seconds


def _seeded(context: StageContext, seed: int) -> TrainReranker:
    settings = context.settings.train_reranker
    if settings.distill or settings.label_smoothing:
        raise ValueError(
            f"{context.run} distils or smooths labels, which FlagEmbedding 1.4.2 does not: take another run"
        )
    return settings.model_copy(update={"seed": f"quality {seed}"})


def _rank(context: StageContext, adapter: Path, opened: Callable[[Scorer], Reranker]) -> pl.DataFrame:
    """The run's first candidates of the validation fold in the order of the base with this adapter."""
    queries, misconceptions = context.texts()
    valid = labelled_queries(queries, "valid")
    depth = context.settings.train_reranker.depth
    near = context.read(CANDIDATES, "mine_for_reranker").filter(
        pl.col("rank") <= depth, pl.col("query_id").is_in(valid["query_id"].implode())
    )
    profile, base = load_profile(context.settings.machine.profile), local_folder(context.settings.reranker.base)
    model = load_causal(base, context.settings.reranker.dtype, device_of(profile), packed=profile.packed)
    model = PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False).eval().get_base_model()
    answer = answer_of(load_tokenizer(base), new_reranker_card(context.settings.reranker).prompt)
    scorer = Strict(HFScorer(model, answer, profile.batch_tokens), base)
    return rerank(opened(scorer), valid, misconceptions, near, depth)
