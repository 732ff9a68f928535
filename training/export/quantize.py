"""Quantises a merged model for the GPUs of Kaggle, and refuses a result that ranks worse than it may.

The weights are rounded by llm-compressor in an environment of its own (quantize_worker.py); the prompts that it is
calibrated on are of the training fold. A split that holds data out measures what is lost; split full repeats what was
measured there.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import polars as pl

from inference.engines.serving import Serving
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.machine.hardware import Model, read_model
from inference.machine.profiles import load_profile
from inference.reranking.kinds import open_reranker, prompts_of
from inference.reranking.order import rerank
from inference.retrieval.retrieve import query_prompts, retrieve
from shared.artifacts.card import read_embedder_card, read_reranker_card
from shared.artifacts.files import write_json
from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import is_whole
from shared.prompts.embedder import embedder_passage
from shared.prompts.query import misconception_of, query_of
from shared.settings.sections import Quantize
from shared.task.folds import labelled_queries, seed_of, seen_ids
from shared.task.splits import holds_out
from shared.task.tables import CANDIDATES, DESCRIPTIONS, GROUPS
from training.export.quantization_loss import compare, describe_loss, refuse_loss
from training.run_folder.stage_context import StageContext

PYTHON = Path(".venv-quantize/bin/python")
SCRIPT = Path(__file__).with_name("quantize_worker.py")
TILE = 128  # inputs of a 4-bit layer that vLLM's kernels compute together


def quantize(job: StageContext, role: str) -> dict:
    """Fill job.out with the quantised model of `role`, its card and metrics.json; returns its lineage.

    Raises ValueError where a scheme cannot be had here, and where the weighted MAP@25 falls by more than `most_lost`.
    """
    settings, source = job.settings.quantize, job.run / f"merge_{role}"
    measured = None if holds_out(job.run.name) else _measured_elsewhere(job, role)
    inner = check_scheme(settings, read_model(source), job.settings.machine.device)
    prompts = (reranker_prompts if role == "reranker" else embedder_prompts)(job, source, settings)
    _run(job, source, prompts, inner)
    shutil.copyfile(source / "card.json", job.out / "card.json")
    if (texts := DESCRIPTIONS.path(source)).is_file():
        shutil.copyfile(texts, job.out / texts.name)
    if measured is None:
        figures = (_compare_rerankers if role == "reranker" else _compare_embedders)(job, source)
        figures |= {"scheme": settings.scheme, "gib": [read_model(folder).gib for folder in (source, job.out)]}
        write_json(job.out / "metrics.json", figures)
        print(describe_loss(role, figures))
        refuse_loss(figures, settings.most_lost)
    return {"scheme": settings.scheme, **({"measured": measured} if measured else {})}


def check_scheme(settings: Quantize, model: Model, device: str) -> int:
    """The inner width that the result has. Raises ValueError for what cannot be done, with the way out."""
    if model.bits <= 8:
        raise ValueError(f"{model.folder} is in {model.bits} bits already: quantise a merged model")
    if settings.scheme == "awq" and device == "cpu":
        raise ValueError("awq calibrates on a GPU only (it pins memory): scheme=gptq works on a CPU too")
    if settings.scheme == "fp8":
        return model.inner
    for width in (model.width, model.heads * model.head_width, model.inner):
        if width % settings.group:
            raise ValueError(
                f"{model.folder} has layers of {width} inputs, not to be cut into groups of {settings.group}: "
                f"quantize.group={_divisor(width)}"
            )
    whole = settings.tensor_parallel * max(settings.group, TILE)
    if settings.tensor_parallel == 1 or model.inner % whole == 0:
        return model.inner
    return -(-model.inner // whole) * whole  # Qwen2.5-72B's 29,568 for 2 GPUs: 29,696


def _divisor(width: int) -> int:
    return next(group for group in (128, 64, 32, 16, 8, 4, 2, 1) if width % group == 0)


def reranker_prompts(job: StageContext, source: Path, settings: Quantize) -> list[list[int]]:
    """Candidates of the training fold, right and wrong ones in turn, as the reranker reads them among their group's."""
    make = prompts_of(source)
    queries, misconceptions = job.texts()
    texts = {row["misconception_id"]: misconception_of(row) for row in misconceptions.iter_rows(named=True)}
    prompt, groups = read_reranker_card(source).prompt, job.read(GROUPS, "mine_for_reranker")
    asked = _sample(queries, settings)
    shown = groups.filter(pl.col("query_id").is_in(asked["query_id"].implode())).sort("query_id", "misconception_id")
    shown = {query_id: rows for (query_id,), rows in shown.group_by("query_id", maintain_order=True)}
    rows = []
    for place, row in enumerate(row for row in asked.iter_rows(named=True) if row["query_id"] in shown):
        own = shown[row["query_id"]]
        ids, among = own.filter(is_positive=place % 2 == 0)["misconception_id"], own["misconception_id"].to_list()
        prompts = make(query_of(row, prompt.rationale, prompt.layout), [texts[id_] for id_ in among])
        rows.append(prompts[among.index(ids[place % len(ids)])])
    return rows


def embedder_prompts(job: StageContext, source: Path, settings: Quantize) -> list[list[int]]:
    """Queries of the training fold behind their examples, and misconceptions, half and half."""
    card, words = read_embedder_card(source), embedder_words(load_tokenizer(source))
    queries, misconceptions = job.texts()
    asked = _sample(queries, settings)[: (settings.samples + 1) // 2]
    seed = seed_of(settings.seed, "misconceptions") % 2**63
    shown = misconceptions.sample(min(settings.samples // 2, len(misconceptions)), shuffle=True, seed=seed)
    return query_prompts(asked, words, card) + [
        embedder_passage(words, card.prompt, misconception_of(row)) for row in shown.iter_rows(named=True)
    ]


def _sample(queries: pl.DataFrame, settings: Quantize) -> pl.DataFrame:
    train = labelled_queries(queries, "train")
    return train.sample(min(settings.samples, len(train)), shuffle=True, seed=seed_of(settings.seed) % 2**63)


def _run(job: StageContext, source: Path, prompts: list[list[int]], inner: int) -> None:
    """Let llm-compressor fill job.out. Raises ValueError when its environment is missing, or it fails."""
    if not PYTHON.is_file():
        raise ValueError(f"{PYTHON} does not exist: requirements/setup.sh quantize makes it (./just quantize does so)")
    settings = job.settings.quantize
    task = {
        "source": str(source.resolve()),
        "out": str(job.out.resolve()),
        "scheme": settings.scheme,
        "group": settings.group,
        "inner": inner,
        "classifier": source.name == "merge_reranker",
        "prompts": prompts,
    }
    path = job.out / "job.json"
    path.write_text(json.dumps(task), encoding="utf-8")
    # threads: left alone, two cores that others also use were 10 times slower than one thread
    environment = {**os.environ, "OMP_NUM_THREADS": str(job.settings.machine.threads), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)  # the other environment's packages are its own
    if job.settings.machine.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    done = subprocess.run([PYTHON, str(SCRIPT), str(path)], env=environment)
    path.unlink()
    if done.returncode:
        raise ValueError(f"llm-compressor could not quantise {source} (its reason stands above); nothing was written")


def _measured_elsewhere(job: StageContext, role: str) -> dict[str, str]:
    """What split full relies on: {split: fingerprint} of the same scheme, measured on held-out data."""
    folder = job.run.parent / "cv" / f"quantize_{role}"
    wanted = job.settings.quantize.model_dump(mode="json")
    if is_whole(folder):
        lineage = read_lineage(folder, "settings", "fingerprint")
        if lineage.settings["quantize"] == wanted:
            return {"cv": lineage.fingerprint}
    raise ValueError(
        f"{folder} was not made with {wanted['scheme']} and these settings, and split full has nothing to measure on: "
        f"first ./just quantize iter={job.run.parent.name.removeprefix('iter')} split=cv scheme={wanted['scheme']}"
    )


def _compare_rerankers(job: StageContext, source: Path) -> dict:
    """Both models' scores of the validation fold's first candidates."""
    queries, misconceptions = job.texts()
    valid = labelled_queries(queries, "valid")
    depth = job.settings.evaluate.depth
    near = job.read(CANDIDATES, "mine_for_reranker").filter(
        pl.col("rank") <= depth, pl.col("query_id").is_in(valid["query_id"].implode())
    )
    serving = Serving("vllm", load_profile(job.settings.machine.profile))
    ranked = []
    for folder in (source, job.out):
        with open_reranker(folder, serving) as reranker:
            table = rerank(reranker, valid, misconceptions, near, depth)
        ranked.append(table.rename({"rerank_score": "score"}))
    return compare(*ranked, valid, seen_ids(queries), job.settings.evaluate.unseen_weight)


def _compare_embedders(job: StageContext, source: Path) -> dict:
    """Both models' similarities of the validation fold's queries to all misconceptions."""
    queries, misconceptions = job.texts()
    valid = labelled_queries(queries, "valid")
    serving = Serving("vllm", load_profile(job.settings.machine.profile))
    card, k = read_embedder_card(source), len(misconceptions)
    found = [retrieve(valid, misconceptions, folder, card, serving, k) for folder in (source, job.out)]
    renamed = [table.rename({"retrieval_score": "score"}) for table in found]
    return compare(*renamed, valid, seen_ids(queries), job.settings.evaluate.unseen_weight)
