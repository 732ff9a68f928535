"""Guards what is lost: prompts and parts of the work without an answer cost their own rows, and each is named."""

import json
import shutil
import sys

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.__main__ import main
from inference.engines.tokenizer import load_tokenizer
from inference.machine.profiles import load_profile
from inference.predict.chunk_store import ChunkStore
from inference.retrieval.bm25 import WordIndex
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.pointwise import RerankerPrompt
from shared.task.eedi import SUBMISSION, read_competition

BROKEN = "~"  # a letter whose vector is infinite; no question of the competition has it


@pytest.fixture(scope="module")
def models(models, tmp_path_factory):
    """The usual two for long prompts, and what they would be with the broken letter."""
    place = tmp_path_factory.mktemp("broken")
    for name in ("e1", "r1"):
        folder = shutil.copytree(models / name, place / name)
        card = EmbedderCard("last", EmbedderPrompt("Find it.", 3000, 20, 20, 20))
        write_card(card if name[0] == "e" else RerankerCard(RerankerPrompt(3000, 20, "Yes or No?")), folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["max_position_embeddings"] = 4096  # room for what the cards say; the profile has less
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        broken = shutil.copytree(folder, place / f"{name}-broken")
        weights = load_file(broken / "model.safetensors")
        (letter,) = load_tokenizer(broken).encode(BROKEN, add_special_tokens=False)
        (table,) = (name for name in weights if name.endswith("embed_tokens.weight"))
        weights[table][letter] = torch.inf
        save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    return place


@pytest.fixture(scope="module")
def odd(competition, tmp_path_factory):
    """The competition whose second test question has the broken letter, and whose third one is very long."""
    folder = shutil.copytree(competition, tmp_path_factory.mktemp("odd") / "competition")
    test = pl.read_csv(folder / "test.csv", infer_schema=False).with_row_index("row")
    name = pl.when(pl.col("row") == 1).then(pl.col("SubjectName") + BROKEN).otherwise("SubjectName")
    text = pl.when(pl.col("row") == 2).then(pl.lit("x" * 5000)).otherwise("QuestionText")
    changed = test.with_columns(name.alias("SubjectName"), text.alias("QuestionText")).drop("row")
    changed.write_csv(folder / "test.csv")
    return folder


@pytest.fixture
def predict(models, tmp_path, capsys):
    """Run the command line: {row: ids} of its submission, budget.json, and what was said."""

    def run(competition, embedder="e1", reranker="r1", status=0, *more):
        out = tmp_path / "submission.csv"
        arguments = ["predict", "--profile", "cpu", "--engine", "hf", "--competition", str(competition), "--depth", "5"]
        arguments += ["--embedder", str(models / embedder), "--reranker", str(models / reranker), "--out", str(out)]
        assert main([*arguments, *more]) == status
        rows = dict(pl.read_csv(out, columns=list(SUBMISSION.columns)).iter_rows())
        return rows, json.loads((tmp_path / "budget.json").read_text(encoding="utf-8")), capsys.readouterr().err

    return run


@pytest.fixture
def questions(odd):
    """The ids of the rows of each test question."""
    rows = read_competition(odd, need_train=False).test.group_by("question_id", maintain_order=True).agg("query_id")
    return rows["query_id"].to_list()


def test_rows_whose_prompts_have_no_answer_are_named_and_no_others_change(predict, odd, questions):
    _, broken, long, _ = questions
    assert load_profile("cpu").max_tokens == 2048  # fewer than the 3,000 tokens of the third question
    sound, told, _ = predict(odd, status=3)
    assert sorted(_named(told["embedders"][0])) == sorted(_named(told["rerankers"][0])) == sorted(long)
    for role, others in (("embedder", "rerankers"), ("reranker", "embedders")):
        names = {"embedder": "e1", "reranker": "r1", role: f"{role[0]}1-broken"}
        rows, told, said = predict(odd, status=3, **names)
        (entry,) = told[f"{role}s"]
        assert sorted(_named(entry)) == sorted([*broken, *long]) and entry["rows_lost"] == 6
        assert entry["ended"] == "complete" and told["failed"] == []
        assert sorted(_named(told[others][0])) == sorted(long)
        (sentence,) = [
            line for line in said.splitlines() if f"{role[0]}1-broken has no answer for 6 of 12 rows" in line
        ]
        assert all(id_ in sentence for id_ in [*broken, *long])
        assert {id_: ids for id_, ids in rows.items() if id_ not in broken} == {
            id_: ids for id_, ids in sound.items() if id_ not in broken
        }


def test_a_lost_row_keeps_the_words_that_it_shares_and_a_lost_pair_its_place_of_retrieval(predict, odd, questions):
    _, broken, long, _ = questions
    data = read_competition(odd, need_train=False)
    lexical = WordIndex(data.misconceptions).rank(data.test, 25)
    rows, _, _ = predict(odd, "e1-broken", "r1-broken", 3)
    for id_ in [*broken, *long]:
        order = lexical.filter(pl.col("query_id") == id_).sort("rank")["misconception_id"].to_list()
        assert rows[id_] == " ".join(map(str, order))


@pytest.mark.parametrize("part", ["retrieve_chunks", "rerank_chunks"])
def test_a_part_of_the_work_that_breaks_costs_its_own_rows_and_names_them(part, predict, competition, monkeypatch):
    monkeypatch.setattr("inference.predict.predict.QUESTIONS", 1)
    sound, _, _ = predict(competition)
    ids = list(sound)
    broken = {ids[3], ids[9]}  # of the second and of the fourth chunk
    read = ChunkStore.read

    def reading(store, name, chunk):  # as from a broken disk, where that part reads a chunk's candidates
        table, caller = read(store, name, chunk), sys._getframe(1).f_code.co_filename
        if name == "candidates" and f"{part}.py" in caller and broken & set(table["query_id"]):
            raise OSError("the disk cannot read that")
        return table

    monkeypatch.setattr(ChunkStore, "read", reading)
    rows, told, said = predict(competition, status=3)
    (entry,) = told[{"retrieve_chunks": "embedders", "rerank_chunks": "rerankers"}[part]]
    assert sorted(_named(entry)) == sorted([*ids[3:6], *ids[9:12]])
    assert entry["ended"] == "complete" and told["failed"] == [] and "6 of 12 rows" in said
    assert all(rows[id_] == sound[id_] for id_ in [*ids[:3], *ids[6:9]])


def test_a_misconception_without_a_vector_is_named_and_never_found_by_it(predict, competition, tmp_path):
    folder = shutil.copytree(competition, tmp_path / "competition")
    table = pl.read_csv(folder / "misconception_mapping.csv", infer_schema=False)
    lost = table["MisconceptionId"][7]
    name = pl.when(pl.col("MisconceptionId") == lost).then(pl.lit(f"Adds{BROKEN}")).otherwise("MisconceptionName")
    table.with_columns(name.alias("MisconceptionName")).write_csv(folder / "misconception_mapping.csv")
    rows, told, said = predict(folder, "e1-broken", status=3)
    assert told["embedders"][0]["misconceptions_lost"] == [int(lost)] and told["embedders"][0]["rows_lost"] == 0
    assert f"misconceptions {lost} (it never finds them)" in said
    assert not any(lost in ids.split() for ids in rows.values())


def _named(entry):
    return [id_ for ids in entry["lost"].values() for id_ in ids]
