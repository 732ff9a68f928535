"""Guards quantize.py: it calibrates on training prompts alone, and a model that ranks worse does not come out.

The rounding itself is llm-compressor's, which has an environment of its own: ./just quantize iter=demo0 scheme=gptq
quantize.group=64 runs it whole, on a CPU (LOG.md).
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from inference.engines.open import open_scorer
from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.machine.hardware import read_model
from inference.machine.profiles import load_profile
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.artifacts.manifest import write_manifest
from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Quantize, Settings
from shared.task.tables import GROUPS, MISCONCEPTIONS, QUERIES
from training.export.classifier_head import keep_yes_alone
from training.export.quantization_loss import compare, refuse_loss
from training.export.quantize import check_scheme, embedder_prompts, quantize, reranker_prompts
from training.run_folder.stage_context import StageContext


@pytest.fixture
def context(tiny_qwen, queries, misconceptions, tmp_path, monkeypatch):
    """A run whose embedder and reranker are merged."""
    monkeypatch.chdir(tmp_path)
    run = Path("runs/x/cv")
    labelled = queries.drop_nulls("misconception_id")
    rows = [
        (query_id, id_, place, 0.5, id_ == right)
        for query_id, right in labelled.select("query_id", "misconception_id").iter_rows()
        for place, id_ in enumerate((right, 50), 1)
    ]
    groups = pl.DataFrame(rows, schema=GROUPS.schema, orient="row")
    QUERIES.write(queries, make(run / "prepare"))
    MISCONCEPTIONS.write(misconceptions, run / "prepare")
    GROUPS.write(groups, make(run / "mine_for_reranker"))
    example = (1, 10, Example("1/2 + 1/3 = ?", "Adds numerators and denominators"))
    cards = {
        "embedder": EmbedderCard("last", EmbedderPrompt("Find it.", 200, 99, 99, 99), (example,), 1),
        "reranker": RerankerCard(RerankerPrompt(400, 99, "Yes or No?")),
    }
    for role, card in cards.items():
        shutil.copytree(tiny_qwen, run / f"merge_{role}")
        write_card(card, run / f"merge_{role}")
    keep_yes_alone(run / "merge_reranker", yes_token(load_tokenizer(tiny_qwen)))
    sections = {
        "machine": {"device": "cpu", "profile": "cpu_bf16"},
        "miner": {"base": str(tiny_qwen)},
        "embedder": {"base": str(tiny_qwen)},
        "reranker": {"base": str(tiny_qwen)},
        "merge_embedder": {"epoch": 1},
        "merge_reranker": {"epoch": 1},
        "quantize": {"scheme": "gptq", "group": 16, "samples": 50},
    }
    return StageContext(Settings(**sections), run, make(run / ".partial"), "")


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_it_calibrates_on_prompts_of_the_training_fold_as_the_model_reads_them(context, queries, tiny_qwen):
    decode, settings = load_tokenizer(tiny_qwen).decode, context.settings.quantize  # this one leaves spaces out
    pairs = [decode(row) for row in reranker_prompts(context, context.run / "merge_reranker", settings)]
    train = queries.filter(pl.col("fold") == "train").drop_nulls("misconception_id")
    assert len(pairs) == len(train) == 8
    assert all(text.startswith("A:Subject:") and text.endswith("YesorNo?") for text in pairs)
    assert sum("Readsatablebyitscolumns" in text for text in pairs) == 4  # every other one is a wrong pair
    texts = [decode(row) for row in embedder_prompts(context, context.run / "merge_embedder", settings)]
    assert sum("<query>" in text for text in texts) == 8 and len(texts) == 8 + 12
    for question in queries.filter(pl.col("fold") == "valid")["question"].unique():
        assert not any(question.replace(" ", "") in text for text in [*pairs, *texts])
    assert pairs == [decode(row) for row in reranker_prompts(context, context.run / "merge_reranker", settings)]


@pytest.mark.parametrize(
    ("changes", "shape", "inner"),
    [
        ({}, {}, 13824),
        ({"tensor_parallel": 2}, {}, 13824),  # 54 * 256
        ({"tensor_parallel": 2}, {"inner": 29568, "width": 8192, "heads": 64}, 29696),  # 116 * 256
        ({"tensor_parallel": 8}, {"inner": 29568, "width": 8192, "heads": 64}, 29696),  # 29 * 1024
        ({"scheme": "fp8", "tensor_parallel": 2}, {"inner": 29568}, 29568),
        ({"group": 64}, {"width": 576, "heads": 9, "head_width": 64, "inner": 1536}, 1536),
    ],
)
def test_a_model_is_padded_only_where_it_could_not_be_split(tiny_qwen, changes, shape, inner):
    model = replace(read_model(tiny_qwen), width=5120, heads=40, head_width=128, inner=13824, bits=16)
    assert check_scheme(Quantize(**changes), replace(model, **shape), "cuda") == inner


@pytest.mark.parametrize(
    ("changes", "shape", "device", "said"),
    [
        ({}, {}, "cpu", "awq calibrates on a GPU only .* scheme=gptq works on a CPU"),
        ({"scheme": "gptq"}, {"width": 576}, "cpu", "layers of 576 inputs, .* groups of 128: quantize.group=64"),
        ({"scheme": "fp8"}, {"bits": 4}, "cuda", "is in 4 bits already: quantise a merged model"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(tiny_qwen, changes, shape, device, said):
    model = replace(read_model(tiny_qwen), bits=16)
    with pytest.raises(ValueError, match=said):
        check_scheme(Quantize(**changes), replace(model, **shape), device)


def test_the_loss_is_worked_out_by_hand_and_refused_above_the_setting():
    valid = pl.DataFrame(
        [("1_A", 1, 10), ("2_A", 2, 20)], schema=["query_id", "question_id", "misconception_id"], orient="row"
    )

    def ranking(first, second):
        rows = [("1_A", *row) for row in first] + [("2_A", *row) for row in second]
        return pl.DataFrame(rows, schema=["query_id", "misconception_id", "rank", "score"], orient="row")

    merged = ranking([(10, 1, 3.0), (11, 2, 1.0)], [(20, 1, 2.0), (21, 2, 0.0)])
    worse = ranking([(10, 2, 5.0), (11, 1, 5.5)], [(20, 1, 2.5), (21, 2, 0.5)])
    found = compare(merged, worse, valid, seen={10}, unseen_weight=0.75)
    # 10 is seen and falls to rank 2, 20 is unseen and stays: 0.25 * (1 - 0.5) + 0.75 * 0
    assert found["lost"]["weighted"] == pytest.approx({"map@25": 0.125, "recall@25": 0.0})
    assert found["lost"]["seen"]["map@25"] == pytest.approx(0.5)
    assert found["kendall_tau"] == pytest.approx(0.0)  # one query turned round, one as it was
    # around each query's mean: 1, -1 became -0.25, 0.25, and 1, -1 stayed
    assert found["score"]["mean_difference"] == pytest.approx(1.25 / 2)
    figures = {**found, "scheme": "gptq"}
    with pytest.raises(ValueError, match="weighted MAP@25 falls by 0.1250 with gptq, allowed are 0.1 "):
        refuse_loss(figures, 0.1)
    refuse_loss(figures, 0.125)


def test_split_full_is_quantised_only_as_it_was_measured_on_held_out_data(context):
    full = replace(context, run=Path("runs/x/full"))
    with pytest.raises(ValueError, match="first ./just quantize iter=x split=cv scheme=gptq"):
        quantize(full, "reranker")
    folder = make(context.run / "quantize_reranker")
    (folder / "metrics.json").write_text("{}", encoding="utf-8")
    other = context.settings.quantize.model_copy(update={"group": 32}).model_dump(mode="json")
    write_manifest(folder, {"fingerprint": "f", "settings": {"quantize": other}})
    with pytest.raises(ValueError, match="was not made with gptq and these settings"):
        quantize(full, "reranker")


def test_without_its_environment_it_says_what_makes_it(context):
    with pytest.raises(ValueError, match=".venv-quantize/bin/python does not exist: requirements/setup.sh quantize"):
        quantize(context, "reranker")


def test_the_engine_that_cannot_read_it_says_so(context):
    path = context.run / "merge_reranker" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "compressed-tensors", "config_groups": {}}
    path.write_text(json.dumps(config), encoding="utf-8")
    with (
        pytest.raises(ValueError, match="is quantised, which engine vllm reads"),
        open_scorer("hf", path.parent, load_profile("cpu")),
    ):
        pass
