"""Measures what siblings as negatives, and a wrong answer that stands first, are worth to a small embedder.

    python -m benchmarks.quality.siblings COMPETITION OUT [split=cv] [train=200] [valid=150] [section.key=value ...]

It first ranks with the untrained model and each layout of the query, for `valid` questions of the validation fold that
have several labelled wrong answers; train=0 ends there. Then it trains small0's embedder on `train` such questions of
the training fold: a subset, so that two CPU cores can do it. Every arm has the same rows, negatives that the untrained
model mined, and seeds. What an arm found is a file in OUT and is not computed again. Differences from the plain arm
have paired intervals over questions. OUT holds ids and scores only.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import polars as pl
from peft import PeftModel

from inference.engines.answers import Strict
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.engines.transformers.engine import HFEncoder, device_of, load_backbone
from inference.machine.profiles import load_profile
from inference.retrieval.catalogue_vectors import encode_misconceptions
from inference.retrieval.retrieve import find_candidates, query_prompts, restrict
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import EmbedderPrompt
from shared.settings.load import load_settings
from shared.settings.sections import Embedder, Settings
from shared.task.current import TASK
from shared.task.folds import hold_out_misconceptions, seed_of, seen_ids, sibling_answers
from shared.task.metrics import interval, resample_maps
from shared.task.splits import fold_seed
from shared.task.tables import CANDIDATES, MISCONCEPTIONS, PAIR, POOLS, QUERIES
from training.analysis.sensitivity import sensitivity_differences
from training.evaluation.evaluate import cut, measure, pools_of, rank_table
from training.evaluation.siblings import compare_siblings, with_siblings
from training.mining.hard_negatives import add_siblings, drop_twins, pick_negatives
from training.run_folder.base_models import local_folder
from training.run_folder.stage_context import StageContext
from training.trainer.train import train_embedder

MACHINE = ["machine.device=cpu", "machine.processes=1", "machine.threads=2", "machine.profile=cpu"]
ARMS = {
    "plain": [],
    "siblings": ["train_embedder.siblings=1.0"],
    "siblings, together": ["train_embedder.siblings=1.0", "train_embedder.together=true"],
    "siblings, together, wrong_first": [
        "train_embedder.siblings=1.0",
        "train_embedder.together=true",
        "embedder.layout=wrong_first",
    ],
}


def main(competition: Path, out: Path, words: list[str]) -> None:
    """Train and measure what OUT has not yet, an arm after the other, and print what there is after each."""
    said = dict(word.split("=", 1) for word in words if "." not in word.split("=")[0])
    overrides = [
        *MACHINE,
        "mine_for_embedder.siblings=true",
        *(word for word in words if word.split("=")[0] not in said),
    ]
    settings = load_settings("small0", overrides)
    queries, misconceptions = read_rows(competition, said.get("split", "cv"), settings)
    counts = int(said.get("train", 200)), int(said.get("valid", 150))
    train, valid = (draw(queries, fold, count) for fold, count in zip(("train", "valid"), counts, strict=True))
    print(f"{len(train)} training rows, {len(valid)} validation rows of {counts} questions", flush=True)
    base, found = local_folder(settings.embedder.base), {}
    for layout in ("plain", "wrong_first", "wrong_marked"):
        arm = load_settings("small0", [*overrides, f"embedder.layout={layout}"])
        asked = pl.concat([train, valid]) if layout == "plain" else valid
        ranked = partial(rank, base, None, arm, asked, misconceptions)
        found[f"untrained, {layout}"] = kept(out / f"untrained_{layout}", ranked)
    show(found, queries, valid, misconceptions, settings)
    if train.is_empty():
        return
    untrained = found["untrained, plain"]
    siblings = sibling_answers(train, misconceptions)
    near = drop_twins(restrict(untrained, seen_ids(queries), 200), train, misconceptions)
    section = settings.mine_for_embedder
    how = {"lowest": section.lowest, "highest": section.highest, "count": section.count, "seed": section.seed}
    groups = pick_negatives(train, near.join(siblings, on=PAIR, how="anti"), **how)
    groups = add_siblings(groups, siblings, near)
    for name, changes in ARMS.items():
        arm = load_settings("small0", [*overrides, *changes])

        def trained(arm: Settings = arm) -> pl.DataFrame:
            with tempfile.TemporaryDirectory() as work:
                adapter = fit(arm, groups, (train, misconceptions), Path(work) / "run")
                return rank(base, adapter, arm, valid, misconceptions)

        found[name] = kept(out / name.replace(", ", "_"), trained)
        show(found, queries, valid, misconceptions, settings)


def read_rows(competition: Path, split: str, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Queries with the folds of `split`, and misconceptions."""
    data, section = TASK.read(competition), settings.prepare
    seed = fold_seed(section.seed, split)
    queries = hold_out_misconceptions(data.train, data.misconceptions, section.held_out, seed, section.similar)
    return queries, data.misconceptions


def draw(queries: pl.DataFrame, fold: str, count: int) -> pl.DataFrame:
    """The rows of `count` questions with siblings, drawn by name."""
    rows = with_siblings(queries.filter(pl.col("fold") == fold))
    ids = sorted(rows["question_id"].unique(), key=lambda id_: seed_of("siblings", id_))
    return rows.filter(pl.col("question_id").is_in(ids[:count]))


def kept(folder: Path, find) -> pl.DataFrame:
    """The table CANDIDATES in `folder`, found and written where it is not there."""
    if not CANDIDATES.path(folder).is_file():
        CANDIDATES.write(find(), folder)
    return CANDIDATES.read(folder)


def fit(settings: Settings, groups: pl.DataFrame, tables: tuple[pl.DataFrame, pl.DataFrame], run: Path) -> Path:
    """The last epoch's adapter; training sees the rows of `tables` alone, so that no epoch is evaluated."""
    for table, frame in zip((QUERIES, MISCONCEPTIONS), tables, strict=True):
        table.write(frame, run / "prepare")
    (run / "out").mkdir()
    train_embedder(StageContext(settings, run, run / "out", ""), groups, card_of(settings.embedder))
    return run / "out" / f"epoch_{settings.train_embedder.epochs}"


def rank(
    base: Path, adapter: Path | None, settings: Settings, asked: pl.DataFrame, misconceptions: pl.DataFrame
) -> pl.DataFrame:
    """The whole catalogue for each row of `asked`."""
    section, profile = settings.embedder, load_profile(settings.machine.profile)
    card, words = card_of(section), embedder_words(load_tokenizer(base))
    model = load_backbone(base, section.dtype, device_of(profile))
    if adapter:
        model = PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False).eval().get_base_model()
    encoder = Strict(HFEncoder(model, card.pooling, profile.batch_tokens), base)
    known = encode_misconceptions(misconceptions, encoder, words, card)
    vectors = encoder.encode(query_prompts(asked, words, card))
    return find_candidates(asked, misconceptions, vectors, known, len(misconceptions))


def card_of(section: Embedder) -> EmbedderCard:
    """The card of a plain encoder."""
    lengths = (section.query_tokens, section.passage_tokens, section.example_query_tokens)
    prompt = EmbedderPrompt("", *lengths, section.example_passage_tokens, section.end_token, layout=section.layout)
    return EmbedderCard(section.pooling, prompt)


def show(
    found: dict[str, pl.DataFrame], queries: pl.DataFrame, valid: pl.DataFrame, misconceptions: pl.DataFrame, settings
) -> None:
    """Print each arm's figures, and how it differs from the plain one, trained where there is such a one."""
    first = "plain" if "plain" in found else "untrained, plain"
    rankings = {name: cut(table, pools_of(queries, misconceptions), 200) for name, table in found.items()}
    ranks, siblings = rank_table(rankings, valid, seen_ids(queries)), compare_siblings(rankings, valid, {})
    for pool, figures in measure(ranks, settings.evaluate).items():
        for name, parts in figures.items():
            said = ", ".join(f"{part} {values[TASK.metric.key]:.3f}" for part, values in parts.items())
            print(f"{pool:10}{name:34}{said}, recall@25 {parts['all'][TASK.metric.recall_key]:.3f}", flush=True)
    how = {"unseen_weight": settings.evaluate.unseen_weight, "resamples": settings.evaluate.bootstrap}
    for pool in POOLS:
        for name in [name for name in found if name != first]:
            tables = [
                [table.filter(pl.col("pool") == pool, pl.col("ranking") == one) for one in (first, name)]
                for table in (ranks, siblings)
            ]
            for part, inside in (("seen", pl.col("seen")), ("unseen", ~pl.col("seen"))):
                sides = [[side.filter(inside).with_columns(seen=pl.lit(True))] for side in tables[0]]
                print(f"{pool:10}{name} - {first}, {part}: {difference(*sides, how)}")
            print(
                "\n".join(
                    f"{pool:10}{name}: {line}"
                    for line in sensitivity_differences([tables[1][0]], [tables[1][1]], settings.evaluate.bootstrap)
                ),
                flush=True,
            )


def difference(a: list[pl.DataFrame], b: list[pl.DataFrame], how: dict) -> str:
    maps = resample_maps([*a, *b], **how)["all"]
    low, high = interval(maps[1] - maps[0])
    return f"{maps[1][0] - maps[0][0]:+.4f} (95 %: {low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
