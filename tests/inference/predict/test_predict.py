"""Guards predict.py and its command line, end to end with small real models: calibrated, plain, together."""

import json
import re
import shutil
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file, save_file

from inference.__main__ import main
from inference.engines.open import open_scorer
from inference.engines.serving import Serving
from inference.fusion.calibration import CALIBRATION_FILE, Calibration, apply, plain, write_calibration
from inference.fusion.ensemble import Member, Models
from inference.machine.profiles import load_profile
from inference.predict.anytime import Limit
from inference.predict.chunk_store import ChunkStore
from inference.predict.predict import read_rows
from inference.predict.rerank_chunks import open_scoring
from inference.predict.retrieve_chunks import find_all
from inference.predict.state import Prediction
from inference.reranking.kinds import open_reranker
from inference.reranking.order import rerank
from inference.retrieval.bm25 import WordIndex
from inference.retrieval.retrieve import retrieve
from inference.retrieval.vector_cache import VectorStore
from inference.writing.shots import Shot, Shots, write_shots
from shared.artifacts.card import read_embedder_card
from shared.artifacts.manifest import write_manifest
from shared.prompts.writer import PROMPTS, Sampling
from shared.task.eedi import SUBMISSION, read_competition
from shared.task.submission import read_submission

CPU = load_profile("cpu")
SERVING = Serving("hf", CPU)


@pytest.fixture
def predict(competition, models, tmp_path, capsys):
    """Run the command line and give the rows of its submission: predict("e1", "r1", "--depth", "4")."""

    def run(embedders: str, rerankers: str, *more: str, status: int = 0) -> pl.DataFrame:
        arguments = ["predict", "--profile", "cpu", "--engine", "hf", "--competition", str(competition)]
        arguments += [text for name in embedders.split() for text in ("--embedder", str(models / name))]
        arguments += [text for name in rerankers.split() for text in ("--reranker", str(models / name))]
        assert main([*arguments, "--out", str(tmp_path / "submission.csv"), *more]) == status, capsys.readouterr().err
        if status == 2:  # refused, perhaps before there was a first submission
            return pl.DataFrame()
        return pl.read_csv(tmp_path / "submission.csv", columns=list(SUBMISSION.columns))

    return run


@pytest.fixture
def calibration(competition, models):
    """A calibration in the folder of r1, which later tests do not see."""
    labelled = read_competition(competition).train["misconception_id"].drop_nulls().unique().sort().to_list()
    made = Calibration(
        retrieved=60,
        depth=4,
        extra=3,
        blend=20.0,
        offset=2.0,
        tail_offset=0.2,
        labelled=tuple(labelled),
    )
    write_calibration(made, models / "r1")
    yield made
    (models / "r1" / CALIBRATION_FILE).unlink()


def first(ranked):
    best = ranked.filter(pl.col("rank") <= 25).sort("query_id", "rank")
    lists = best.group_by("query_id", maintain_order=True).agg(pl.col("misconception_id").cast(pl.String))
    return dict(zip(lists["query_id"], lists["misconception_id"].list.join(" "), strict=True))


def rows(submission):
    return dict(submission.iter_rows())


def test_without_a_calibration_the_order_is_the_rerankers(predict, competition, models, capsys):
    submission = predict("e1", "r1", "--depth", "4")
    assert "calibration  none: " in capsys.readouterr().out
    data, card = read_competition(competition, need_train=False), read_embedder_card(models / "e1")
    candidates = retrieve(data.test, data.misconceptions, models / "e1", card, SERVING, k=25)
    with open_reranker(models / "r1", SERVING) as reranker:
        ranked = rerank(reranker, data.test, data.misconceptions, candidates, depth=4)
    assert rows(submission) == first(ranked)


def test_a_calibration_beside_the_reranker_decides_and_can_be_ignored(
    predict, competition, models, calibration, capsys
):
    calibrated = predict("e1", "r1")
    assert "calibration  depth 4, extra 3, blend 20, offset 2, tail offset 0.2" in capsys.readouterr().out
    data, card = read_competition(competition, need_train=False), read_embedder_card(models / "e1")
    candidates = retrieve(data.test, data.misconceptions, models / "e1", card, SERVING, k=60)
    never = ~pl.col("misconception_id").is_in(list(calibration.labelled))
    behind = candidates.filter(never & (pl.col("rank") > 4)).group_by("query_id", maintain_order=True).head(3)
    pairs = pl.concat([candidates.filter(pl.col("rank") <= 4), behind]).select("query_id", "misconception_id")
    assert len(pairs) == 7 * len(data.test)
    with open_reranker(models / "r1", SERVING) as reranker:
        scores = reranker.score(data.test, data.misconceptions, pairs).values
    assert rows(calibrated) == first(apply(candidates, pairs.with_columns(scores), calibration))
    ignored = predict("e1", "r1", "--depth", "4", "--no-calibration")
    assert "calibration  none: ignored as asked" in capsys.readouterr().out
    assert rows(ignored) != rows(calibrated)
    (models / "r1" / CALIBRATION_FILE).rename(models / "kept.json")
    assert rows(predict("e1", "r1", "--depth", "4")) == rows(ignored)
    (models / "kept.json").rename(models / "r1" / CALIBRATION_FILE)


def test_a_model_beside_itself_changes_nothing_and_beside_another_it_does(predict):
    alone = rows(predict("e1", "r1", "--depth", "6"))
    assert rows(predict("e1 e1=2", "r1=3 r1", "--depth", "6")) == alone
    together = rows(predict("e1 e2", "r1 r2", "--depth", "6"))
    assert together != alone
    assert rows(predict("e1=1 e2=1e-9", "r1=1 r2=1e-9", "--depth", "6")) == alone  # hardly there
    assert rows(predict("e1 e2", "r1 r2", "--depth", "6", "--average", "rank")).keys() == together.keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "is no calibration of this version: retrieved: Field required; `just calibrate` makes one"),
        ('{"retrieved": 25, "depth": 5, "labelled": [1, 999999]}', "calls misconception 999999 labelled"),
    ],
)
def test_a_wrong_calibration_is_one_sentence_and_nothing_is_written(text, words, competition, models, tmp_path, capsys):
    folder = shutil.copytree(models / "r1", tmp_path / "r")
    (folder / CALIBRATION_FILE).write_text(text, encoding="utf-8")
    given = {"competition": competition, "embedder": models / "e1", "reranker": folder, "out": tmp_path / "out.csv"}
    arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    assert main(["predict", "--profile", "cpu", "--engine", "hf", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


def test_a_score_does_not_depend_on_the_order_of_a_candidates_neighbours(models, queries):
    """No permutation is averaged out, then: the rerankers are pointwise. 1e-4 is rounding in float32."""
    passages = {(5, 30, 31, 32): ((50, 51, 9), (52, 9), (60, 61, 62, 9), (70, 9)), (5, 40): ((53, 9), (54, 55, 9))}
    prompts = [[*query, *passage] for query, group in passages.items() for passage in group]
    with open_scorer("hf", models / "r1", CPU) as scorer:
        straight = scorer.score(prompts)
        turned = scorer.score(prompts[::-1])
        alone = [scorer.score([prompt])[0] for prompt in prompts]
    assert turned[::-1] == pytest.approx(straight, abs=1e-4)
    assert alone == pytest.approx(straight, abs=1e-4)
    assert straight.std() > 0.01


def test_shards_and_a_limit_with_time_to_spare_change_no_byte(predict, tmp_path, monkeypatch):
    calm = rows(predict("e1 e2", "r1 r2", "--depth", "6"))
    assert json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))["rerankers"][1]["shards"] == 1
    assert rows(predict("e1 e2", "r1 r2", "--depth", "6", "--deadline", str(time.monotonic() + 3600))) == calm
    monkeypatch.setattr("inference.predict.predict.QUESTIONS", 1)
    monkeypatch.setattr(
        "inference.predict.rerank_chunks.CANDIDATE", 4000
    )  # 16 x 4,096 / 4,000 / 6: two rows in a shard
    assert rows(predict("e1 e2", "r1 r2", "--depth", "6")) == calm
    assert json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))["rerankers"][1]["shards"] > 4


@pytest.mark.parametrize("role", ["embedder", "reranker"])
def test_a_broken_model_costs_its_part_and_the_status_says_so(
    role, predict, competition, models, tmp_path, capsys, monkeypatch
):
    broken = shutil.copytree(models / f"{role[0]}1", models / f"{role[0]}broken", dirs_exist_ok=True)

    def find_behind_the_damage(prediction):  # a model that is broken before is refused at once
        (broken / "model.safetensors").write_bytes(b"no weights")
        find_all(prediction)

    monkeypatch.setattr("inference.predict.retrieve_chunks.find_all", find_behind_the_damage)
    names = {"embedder": "e1", "reranker": "r1", role: broken.name}
    assert predict(names["embedder"], names["reranker"], status=3).height > 0
    error = capsys.readouterr().err
    assert f"!!! {broken.name} failed: " in error and "attempt 2 of 2" in error
    report = json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))
    assert report["failed"] == [broken.name] and report["process"] == "ended by itself"
    # without an embedder the reranker reads what shares words with the query; without a reranker it is as retrieved
    alone = json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))["rerankers"][0]["rows_by_depth"]
    assert alone == ({"25": 12} if role == "embedder" else {"0": 12})
    data = read_competition(competition, need_train=False)
    read_submission(tmp_path / "submission.csv", data.test, set(data.misconceptions["misconception_id"]))
    shutil.rmtree(broken)


def test_a_question_and_a_name_without_an_end_cost_no_row(predict, competition, tmp_path, capsys):
    endless = shutil.copytree(competition, tmp_path / "endless")
    for file, column in (("test.csv", "QuestionText"), ("misconception_mapping.csv", "MisconceptionName")):
        table = pl.read_csv(endless / file, infer_schema=False)
        table[0, column] = "x " * 50_001
        table.write_csv(endless / file)
    assert predict("e1", "r1", "--competition", str(endless)).height == 12
    said = capsys.readouterr().err
    assert said.count("has 100,002 characters and the limit is 100,000; it is cut there") == 2


REFUSED = {  # name: (which model, what is done to it, words of the sentence)
    "no weights": ("e1", lambda folder: (folder / "model.safetensors").write_bytes(b"no weights"), "cut or damaged"),
    "a reranker without its head": ("r1", lambda folder: drop(folder, "score.weight"), "lacks score.weight"),
    "an embedder without a norm": ("e1", lambda folder: drop(folder, "model.norm.weight"), "lacks norm.weight"),
    "a negative length": ("e1", lambda folder: say(folder, query_tokens=-5), "prompt.query_tokens: .* greater than"),
    "a length without positions": ("r1", lambda folder: say(folder, query_tokens=5000), "has room for 1024 tokens"),
}


def drop(folder, name):
    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def say(folder, **values):
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["prompt"] |= values
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_is_not_whole_is_refused_in_a_sentence(name, predict, models, capsys):
    model, spoil, words = REFUSED[name]
    odd = shutil.copytree(models / model, models / f"{model[0]}odd")
    spoil(odd)
    try:
        predict(*(odd.name if role == model[0] else f"{role}1" for role in "er"), status=2)
        assert re.search(rf"error: .*odd.*{words}", capsys.readouterr().err)
    finally:
        shutil.rmtree(odd)


@pytest.mark.parametrize("file", ["card.json", "model.safetensors", "tokenizer.json"])
def test_a_model_that_is_not_as_its_manifest_lists_it_is_refused(file, predict, models, capsys):
    odd = shutil.copytree(models / "e1", models / "eodd")
    write_manifest(odd, {})
    content = (odd / file).read_bytes()
    (odd / file).write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    try:
        predict("eodd", "r1", status=2)
        assert re.search(rf"error: .*eodd/{file} differs: SHA-256", capsys.readouterr().err)
    finally:
        shutil.rmtree(odd)


def test_after_the_deadline_the_words_shared_are_the_order(predict, competition, tmp_path):
    late = rows(predict("e1", "r1", "--deadline", str(time.monotonic() - 1)))
    data = read_competition(competition, need_train=False)
    assert late == first(WordIndex(data.misconceptions).rank(data.test, 25))
    report = json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))
    assert [part["ended"] for part in report["embedders"] + report["rerankers"]] == ["skipped, no time"] * 2


def test_a_later_reranker_with_less_time_reads_what_the_ones_before_it_put_first(competition, models, tmp_path):
    misconceptions = read_competition(competition, need_train=False).misconceptions
    ensemble = Models((Member(models / "e1"),), (Member(models / "r1"), Member(models / "r2")))
    store = ChunkStore(tmp_path / "submission.csv")
    run = Prediction(ensemble, plain(6), misconceptions, store, SERVING, Limit())
    read_rows(run, competition)
    every = np.arange(12)
    with open_scoring(run, 0) as score:
        score(every[:5], 0, 4)
        score(every[5:], 0, 6)
        score(every[:5], 4, 6)
        score(every[:5], 4, 6)  # again, as after a failure behind the scores
    by_first = run.rank_with(0, 1)
    with open_scoring(run, 1) as score:
        score(every, 0, 2)
        score(every[3:4], 2, 5)
    read = store.read("scored1", 0).sort("query_id", "misconception_id").select("query_id", "misconception_id")
    fourth = store.read("queries", 0)["query_id"][3]
    wanted = by_first.filter((pl.col("rank") <= 2) | ((pl.col("query_id") == fourth) & (pl.col("rank") <= 5)))
    assert read.equals(wanted.sort("query_id", "misconception_id").select(read.columns))
    # what the second never read stays behind what it read
    final = run.rank(0).join(read.with_columns(read=pl.lit(True)), on=read.columns, how="left", maintain_order="left")
    best = final.filter(pl.col("query_id") != fourth, pl.col("rank") <= 2)
    assert not best["read"].has_nulls()


def test_a_cascade_reads_less_and_less_and_says_so(predict, competition, models, tmp_path):
    made = rows(predict("e1", "r1 r2", "--depth", "6", "--cascade", "3@1000", "--no-calibration"))
    misconceptions = read_competition(competition, need_train=False)
    asked = misconceptions.test
    candidates = retrieve(
        asked, misconceptions.misconceptions, models / "e1", read_embedder_card(models / "e1"), SERVING, k=200
    )
    with open_reranker(models / "r1", SERVING) as reranker:
        first_order = rerank(reranker, asked, misconceptions.misconceptions, candidates, 6)
    near = first_order.filter(pl.col("rank") <= 3)
    with open_reranker(models / "r2", SERVING) as reranker:
        second = reranker.score(asked, misconceptions.misconceptions, near).values
    both = near.with_columns(mean=(pl.col("rerank_score") + second) / 2)
    best = both.sort("query_id", "mean", "misconception_id", descending=[False, True, False])
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("query_id")
    front = best.with_columns(rank=place).select(first_order.columns)
    expected = pl.concat([front, first_order.filter(pl.col("rank") > 3)])
    assert made == first(expected)
    report = json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))
    assert [part["rows_by_depth"] for part in report["rerankers"]] == [{"6": 12}, {"3": 12}]
    assert [part["ended"] for part in report["rerankers"]] == ["complete", "complete"]


def test_a_gap_leaves_candidates_out_that_the_first_reranker_finds_unlikely(competition, models, tmp_path):
    misconceptions = read_competition(competition, need_train=False).misconceptions
    rerankers = (Member(models / "r1"), Member(models / "r2", depth=4, gap=0.03))
    store = ChunkStore(tmp_path / "submission.csv")
    run = Prediction(Models((Member(models / "e1"),), rerankers), plain(6), misconceptions, store, SERVING, Limit())
    read_rows(run, competition)
    with open_scoring(run, 0) as score:
        score(np.arange(12), 0, 6)
    by_first = run.rank_with(0, 1)
    with open_scoring(run, 1) as score:
        score(np.arange(12), 0, 4)
    best = pl.col("rerank_score").max().over("query_id")
    wanted = by_first.filter(pl.col("rank") <= 4, pl.col("rerank_score") >= best - 0.03)
    read = store.read("scored1", 0)
    assert (
        read.select("query_id", "misconception_id")
        .sort(pl.all())
        .equals(wanted.select("query_id", "misconception_id").sort(pl.all()))
    )
    assert 12 < len(read) < 48  # some of most queries
    store.close()


def test_a_second_run_encodes_only_the_answers_that_changed(competition, models, tmp_path, capsys):
    folder, store = shutil.copytree(competition, tmp_path / "competition"), tmp_path / "vectors"
    embedder = shutil.copytree(models / "e1", tmp_path / "embedder")
    given = {"competition": folder, "embedder": embedder, "reranker": models / "r1", "out": tmp_path / "s.csv"}
    arguments = [text for name, value in {**given, "vectors": store}.items() for text in (f"--{name}", str(value))]
    arguments = ["predict", "--profile", "cpu", "--engine", "hf", "--depth", "3", *arguments]
    assert main(arguments) == 2 and "manifest" in capsys.readouterr().err  # whose vectors they are could not be told
    write_manifest(embedder, {})
    assert main(arguments) == 0
    first = (tmp_path / "s.csv").read_text(encoding="utf-8")
    (of_model,) = store.iterdir()
    known = len(VectorStore(of_model).keys)
    (tmp_path / "s.csv").unlink()
    assert main(arguments) == 0 and (tmp_path / "s.csv").read_text(encoding="utf-8") == first
    assert len(VectorStore(of_model).keys) == known
    test = pl.read_csv(folder / "test.csv", infer_schema=False)
    wrong = next(f"Answer{letter}Text" for letter in "ABCD" if letter != test["CorrectAnswer"][1])
    changed = pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("1/3 or so")).otherwise(wrong)
    test.with_columns(changed.alias(wrong)).write_csv(folder / "test.csv")
    assert main(arguments) == 0
    assert len(VectorStore(of_model).keys) == known + 1  # one wrong answer of a question


def test_a_catalogue_too_large_for_memory_is_searched_on_disk(predict, monkeypatch):
    in_memory = predict("e1", "r1", "--depth", "6")
    monkeypatch.setattr("inference.predict.retrieve_chunks.LARGE", 10)
    monkeypatch.setattr("inference.retrieval.sharded_corpus.SHARD_BYTES", 4 * 32 * 50)  # 50 misconceptions in a shard
    on_disk = predict("e1", "r1", "--depth", "6")
    same = [
        one == other
        for left, right in zip(*(table[SUBMISSION.columns[1]] for table in (in_memory, on_disk)), strict=True)
        for one, other in zip(left.split(), right.split(), strict=True)
    ]
    assert sum(same) > 0.9 * len(same)  # float16 moves near ties


@pytest.fixture
def readers(models, tmp_path):
    """e1 and r1 as models that read short rationales, and a writer."""
    for name in ("e1", "r1"):
        shutil.copytree(models / name, tmp_path / name)
        card = json.loads((tmp_path / name / "card.json").read_text(encoding="utf-8"))
        card["prompt"] |= {"rationale": "short", "rationale_tokens": 30}
        (tmp_path / name / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return f"{tmp_path / 'e1'}", f"{tmp_path / 'r1'}"


def test_what_a_writer_writes_stands_beside_the_rows_before_anything_is_retrieved(
    predict, readers, tiny_causal, tmp_path
):
    without = rows(predict(*readers, "--depth", "4"))
    written = rows(predict(*readers, "--depth", "4", "--writer", str(tiny_causal)))
    assert written.keys() == without.keys() and written != without
    budget = json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))
    assert budget["writer"]["ended"] == "complete" and budget["failed"] == []
    assert budget["writer"]["texts"]["short"] == len(written)
    assert "cot" not in budget["writer"]["texts"]  # nobody reads it
    assert json.loads((tmp_path / "timings.json").read_text(encoding="utf-8"))["write"] > 0


def test_a_writer_is_shown_the_solved_examples_of_its_folder_or_those_that_are_named(
    predict, readers, tiny_causal, tmp_path, monkeypatch
):
    small = replace(PROMPTS["short"], instruction="Say why.", text_tokens=90, sampling=Sampling(6))
    monkeypatch.setitem(PROMPTS, "short", small)
    plain = rows(predict(*readers, "--depth", "4", "--writer", str(tiny_causal)))
    own = shutil.copytree(tiny_causal, tmp_path / "own")
    shots = Shots(1, 0.5, (Shot("1_A", "Sum?", "Question: Sum?", {"short": "Adds."}),))
    write_shots(shots, own)
    shown = rows(predict(*readers, "--depth", "4", "--writer", str(own)))
    named = ("--writer", str(tiny_causal), "--writer-shots", str(own / "shots.json"))
    assert shown == rows(predict(*readers, "--depth", "4", *named)) != plain
    (own / "shots.json").write_text("{}", encoding="utf-8")
    with pytest.raises(AssertionError, match="shots.json holds no solved examples for a writer"):
        predict(*readers, "--writer", str(own))


def test_a_writer_that_fails_costs_its_texts_alone(predict, readers, tiny_causal, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_causal, broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    without = rows(predict(*readers, "--depth", "4"))
    assert rows(predict(*readers, "--depth", "4", "--writer", str(broken), status=3)) == without
    assert json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))["failed"] == ["broken"]
    assert "writer broken failed, attempt 2 of 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--writer-adapter", "x"], "--writer-adapter needs --writer"),
        (["--writer-shots", "x"], "--writer-shots needs --writer"),
        (["--writer", "tiny_bert"], "has no head to write with"),
        (["--writer", "tiny_causal"], "none of these models reads rationales"),
    ],
)
def test_a_writer_that_is_no_use_is_refused_in_a_sentence(predict, request, capsys, more, said):
    words = [str(request.getfixturevalue(word)) if word.startswith("tiny") else word for word in more]
    with pytest.raises(AssertionError, match=said):
        predict("e1", "r1", *words)
