"""Guards writer.py and lessons.py: only the text counts, no lesson holds a label, and what is trained can write."""

import json
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest
import torch
from torch.nn.functional import cross_entropy

from inference.engines.tokenizer import load_tokenizer, writer_words
from inference.engines.transformers.engine import load_causal
from inference.engines.writers.open import WriterOpening, open_writer
from inference.machine.profiles import Profile
from shared.settings.sections import Lora, TrainWriter
from shared.task.tables import TEXTS
from tests.tiny_models import make_wide_qwen
from tests.training.tiny import CPU, DECODER, norms_as_wide_as_the_model, randomise
from training.export.merge import merge
from training.trainer.lora import add_lora
from training.trainer.writing.lessons import Lesson, cut_parts, draw_lessons, lessons_without, make_lessons
from training.trainer.writing.writer import WriterObjective, train_writer

PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=512, max_tokens=300, cache_gib=0.1)
LORA = Lora(rank=8, alpha=16, dropout=0.0, targets=DECODER)
SETTINGS = TrainWriter(lora=LORA, epochs=30, batch=3, rate=2e-2, warmup=0.1, micro_tokens=30)
PROMPTS = [[*range(10, 18 + place), 40 + place] for place in range(5)]
TEXT = [[50, 51, 52, 3], [60, 61, 3], [70, 71, 72, 73, 74, 3], [51, 3], [80, 60, 3]]  # 3 is the end
LESSONS = [
    Lesson(f"{n}_A", tuple(prompt), tuple(text)) for n, (prompt, text) in enumerate(zip(PROMPTS, TEXT, strict=True))
]

WRITE = """
import json, sys
from pathlib import Path
from inference.engines.writers.open import WriterOpening, open_writer
from shared.prompts.writer import Sampling
from tests.training.trainer.writing.test_writer import PROFILE, PROMPTS
engine, folder, *lora = sys.argv[1:]
with open_writer(WriterOpening(engine, Path(folder), PROFILE, 32, Path(lora[0]) if lora else None)) as writer:
    written = writer.generate(PROMPTS, Sampling(8))
print(json.dumps([[text.text.strip(), text.finish_reason] for text in written]))
"""


@pytest.fixture(scope="module")
def base(tiny_qwen, tmp_path_factory):
    return make_wide_qwen(tiny_qwen, tmp_path_factory.mktemp("base"))


def texts_of(*rows):
    """Rows of TEXTS: kind, key, clean."""
    empty = ("", "", "", "", "", 0, False, "", "train", 0.0)
    full = [(kind, key, clean, clean, 1, "stop", *empty) for kind, key, clean in rows]
    return pl.DataFrame(full, schema=TEXTS.schema, orient="row")


@pytest.mark.parametrize("micros", [[[0, 1, 2, 3, 4]], [[0, 3], [1, 2], [4]]])
def test_the_gradient_is_that_of_rows_apart_in_which_everything_but_the_text_is_masked(base, micros):
    model = load_causal(base, "float64", CPU)
    norms_as_wide_as_the_model(model)
    adapted = randomise(add_lora(model, LORA, seed="s"))
    trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    loss = WriterObjective(model, [], 30).accumulate(LESSONS, micros, lambda: None, "s")
    packed = [parameter.grad.clone() for parameter in trained]
    adapted.zero_grad()
    total, tokens = 0.0, sum(map(len, TEXT))
    for prompt, text in zip(PROMPTS, TEXT, strict=True):
        ids = torch.tensor([[*prompt, *text]])
        labels = torch.tensor([*[-100] * (len(prompt) - 1), *text])  # each is said one place before it stands
        logits = model(ids).logits[0, :-1]
        part = cross_entropy(logits, labels, ignore_index=-100, reduction="sum") / tokens
        part.backward()
        total += part.item()
    assert loss == pytest.approx(total, rel=1e-9)
    for grad, parameter in zip(packed, trained, strict=True):
        torch.testing.assert_close(grad, parameter.grad, rtol=1e-7, atol=1e-10)
    assert max(grad.abs().max() for grad in packed) > 1e-3


def test_what_is_trained_writes_what_it_was_taught_merged_or_as_an_adapter(base, tmp_path):
    figures = train_writer(base, LESSONS, LESSONS[:2], SETTINGS, tmp_path / "run", PROFILE)
    assert (
        figures[-1]["loss"] < 0.1 < 2 < figures[1]["loss"] and figures[-1]["eval_loss"] < 0.1 < figures[0]["eval_loss"]
    )
    adapter = tmp_path / "run" / "epoch_30"
    merge(base, adapter, tmp_path / "merged")
    tokenizer = load_tokenizer(base)
    taught = [[tokenizer.decode(text[:-1]), "stop"] for text in TEXT]
    for how in (["hf", str(tmp_path / "merged")], ["vllm", str(base), str(adapter)]):
        # in a process of its own: vLLM looks through all modules that a process has, here those of all tests
        done = subprocess.run([sys.executable, "-c", WRITE, *how], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        assert json.loads(done.stdout.splitlines()[-1]) == taught, how
    again = train_writer(base, LESSONS, LESSONS[:2], SETTINGS, tmp_path / "run", PROFILE)
    assert again == figures  # it was through: nothing is trained again


def test_an_adapter_is_for_engine_vllm_or_merged(base, tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 8}', encoding="utf-8")
    with (
        pytest.raises(ValueError, match="engine hf writes without an adapter: merge"),
        open_writer(WriterOpening("hf", base, PROFILE, 32, tmp_path)),
    ):
        pass


def test_lessons_are_of_training_rows_with_a_text_and_hold_no_label(queries, tiny_causal):
    words = writer_words(load_tokenizer(tiny_causal))
    texts = texts_of(("short", "1_A", "Adds."), ("short", "1_B", ""), ("cot", "1_A", "First."), ("short", "6_A", "No."))
    lessons = make_lessons(queries, texts, words)
    assert [lesson.query_id for lesson in lessons] == ["1_A", "1_A"]  # cot, short; 1_B is empty and 6_A held out
    assert lessons == make_lessons(queries.with_columns(misconception_id=7), texts, words)
    said = "".join(load_tokenizer(tiny_causal).convert_ids_to_tokens(lessons[1].text))
    assert said == " Adds.</s>"  # it goes on from the cue, and ends
    assert [lesson.query_id for lesson in make_lessons(queries, texts, words, "valid")] == ["6_A"]
    with pytest.raises(ValueError, match="none of the 0 texts is about a row of fold 'train'"):
        make_lessons(queries, texts.clear(), words)


def test_a_student_writes_about_questions_that_it_did_not_learn_from(queries):
    parts = cut_parts(queries, 2, 0.5, "s")
    train = queries.filter(pl.col("fold") == "train")
    assert set(parts) == set(train["query_id"]) and set(parts.values()) == {0, 1}
    of_question = train.with_columns(part=pl.col("query_id").replace_strict(parts)).group_by("question_id")
    assert of_question.agg(pl.col("part").n_unique())["part"].to_list() == [1] * train["question_id"].n_unique()
    assert parts == cut_parts(queries.reverse(), 2, 0.5, "s") != cut_parts(queries, 2, 0.5, "another")
    lessons = [replace(LESSONS[0], query_id=query_id) for query_id in parts]
    kept = [lesson.query_id for lesson in lessons_without(lessons, parts, 1)]
    assert kept == [query_id for query_id, part in parts.items() if part == 0]


def test_an_epoch_has_every_lesson_once_in_an_order_of_its_own():
    first, second = (draw_lessons(LESSONS, 2, epoch, "s") for epoch in (1, 2))
    assert [len(update) for update in first] == [2, 2, 1]
    assert sorted(lesson.query_id for update in first for lesson in update) == sorted(one.query_id for one in LESSONS)
    assert first != second and first == draw_lessons(LESSONS, 2, 1, "s")
